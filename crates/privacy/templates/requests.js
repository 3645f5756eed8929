// The rights desk: what people ask for about their data who cannot sign in. Texts stand in the page; nothing is kept in the browser.

const main = document.querySelector("main");
const texts = JSON.parse(document.getElementById("texts").textContent);
const part = (name) => document.getElementById(name);
const language = document.documentElement.lang;
let pass = null;

const say = (text, wrong = false) => {
  part("said").textContent = text;
  part("said").dataset.wrong = wrong;
};

const ask = async (path, body) => {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (problem.code === "session.gone") leave();
  throw new Error(texts.problems[problem.code] ?? problem.detail ?? texts.failed);
};

// The pass is void: another code is asked for.
const leave = () => {
  pass = null;
  part("desk").hidden = part("entering").hidden = true;
  part("sending").hidden = false;
  part("requests").replaceChildren();
  part("entering").reset();
};

// What a form does; while it does it, it cannot be sent again.
const on = (name, work) =>
  part(name).addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => (button.disabled = true));
    say("");
    try {
      await work(Object.fromEntries(new FormData(form)), form);
    } catch (error) {
      say(error.message, true);
    }
    buttons.forEach((button) => (button.disabled = false));
  });

const address = () => {
  const text = part("address").value.trim();
  return text.includes("@") ? { email: text } : { phone: text };
};
const about = () => ({ pass, account: part("account").value });

on("sending", async () => {
  await ask("/api/v1/codes", { purpose: "rights", to: address(), language });
  part("entering").hidden = false;
  part("code").focus();
  say(texts.sent);
});

on("entering", async ({ code }, form) => {
  const entered = await (await ask("/api/v1/rights-desk/enter", { to: address(), code })).json();
  pass = entered.pass;
  part("account").replaceChildren(
    ...entered.accounts.map(({ account, guardian }) => new Option(guardian ? `${texts.ward} ${account}` : account, account)),
  );
  form.hidden = part("sending").hidden = true;
  part("desk").hidden = false;
  await list();
});

on("asking", async ({ kind, text, forfeits }, form) => {
  await ask("/api/v1/rights-desk/requests", { ...about(), kind, text: text || null, forfeits: forfeits === "on" });
  form.reset();
  say(texts.asked);
  await list();
});

on("copying", async () => {
  const answer = await ask(`/api/v1/rights-desk/copy?language=${language}`, about());
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(await answer.blob()),
    download: "my-data.zip",
  });
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
});

part("account").addEventListener("change", () => list().catch((error) => say(error.message, true)));

// What may be done with a request in that state, and whether words are needed for it.
const MAY = {
  open: [["withdraw", false]],
  cooling: [["withdraw", false]],
  need_info: [["reply", true], ["withdraw", false]],
  refused: [["appeal", true]],
  appealed: [["withdraw", false]],
};

async function list() {
  const { items } = await (await ask("/api/v1/rights-desk/requests/list", about())).json();
  part("none").hidden = items.length > 0;
  part("requests").replaceChildren(...items.map(shown));
}

function shown(request) {
  const row = part("request").content.cloneNode(true);
  const put = (name, text) => (row.querySelector(`[data-is=${name}]`).textContent = text ?? "");
  put("kind", texts.kinds[request.kind]);
  put("state", texts.states[request.state]);
  put("due", `${request.cooling_until ? texts.until : texts.due} ${(request.cooling_until ?? request.due_at).slice(0, 10)}`);
  put("text", request.text);
  put("answer", request.answer);
  const form = row.querySelector("form");
  const may = MAY[request.state] ?? [];
  form.hidden = may.length === 0;
  form.querySelector("textarea").hidden = !may.some(([, words]) => words);
  form.append(
    ...may.map(([event]) => Object.assign(document.createElement("button"), { value: event, textContent: texts.events[event] })),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = form.querySelector("textarea").value || null;
    try {
      await ask("/api/v1/rights-desk/requests/change", { ...about(), request: request.id, event: event.submitter.value, text });
      await list();
    } catch (error) {
      say(error.message, true);
    }
  });
  return row;
}

main.dataset.ready = "true";

"""A provider of text messages as an operator may have one, over TLS: takes JSON from whoever shows the secret."""

import http.server
import json
import ssl
import threading

SECRET = "secret-of-the-texts"


class SmsProvider:
    def __init__(self, certificate):
        # What was taken, and what is to be answered instead of taking.
        self.taken, self.answers, self.refused = [], [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
                status = outer.status(self.path, self.headers)
                if status == 200:
                    outer.taken.append(body)
                text = json.dumps({"data": {"id": f"text-{len(outer.taken)}"}, "you": body["to"]}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/v1/messages"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def status(self, path, headers):
        if self.answers:
            self.refused += 1
            return self.answers.pop(0)
        return 200 if path == "/v1/messages" and headers["authorization"] == f"Bearer {SECRET}" else 401

    def declared(self, root):
        """The file that tells the platform how it is asked, as in docs/messages.md."""
        path = root / "sms.toml"
        path.write_text(
            f'[request]\nurl = "{self.url}"\nheaders = {{ Authorization = "Bearer {{{{ secret }}}}" }}\n'
            "body = '{\"to\": {{ to }}, \"text\": {{ text }}, \"reference\": {{ id }}}'\nreference = \"/data/id\"\n")
        return path

    def texts(self, number):
        """What was sent to that number, newest last."""
        return [one["text"] for one in self.taken if one["to"] == number]

    def close(self):
        self.server.shutdown()

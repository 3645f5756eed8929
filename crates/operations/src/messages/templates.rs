//! Templates: what each kind of message looks like in each language.
//!
//! The program carries them (`crates/operations/templates`), and an operator may put files of the same names into a
//! directory that are taken instead. All of them are tried with sample variables at the start: a template that does not
//! give a message is an error with its file and line, not a message that is never sent. HTML is escaped by the name of
//! the file.

use super::model::{Content, Kind, Language};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The parts of a message; each is a file.
const PARTS: [&str; 4] = ["subject", "txt", "html", "sms"];

macro_rules! embedded {
    ($($kind:literal),*) => {
        &[
            ("en/layout.html", include_str!("../../templates/en/layout.html")),
            ("zh/layout.html", include_str!("../../templates/zh/layout.html")),
            $(
                (concat!("en/", $kind, ".subject"), include_str!(concat!("../../templates/en/", $kind, ".subject"))),
                (concat!("en/", $kind, ".txt"), include_str!(concat!("../../templates/en/", $kind, ".txt"))),
                (concat!("en/", $kind, ".html"), include_str!(concat!("../../templates/en/", $kind, ".html"))),
                (concat!("en/", $kind, ".sms"), include_str!(concat!("../../templates/en/", $kind, ".sms"))),
                (concat!("zh/", $kind, ".subject"), include_str!(concat!("../../templates/zh/", $kind, ".subject"))),
                (concat!("zh/", $kind, ".txt"), include_str!(concat!("../../templates/zh/", $kind, ".txt"))),
                (concat!("zh/", $kind, ".html"), include_str!(concat!("../../templates/zh/", $kind, ".html"))),
                (concat!("zh/", $kind, ".sms"), include_str!(concat!("../../templates/zh/", $kind, ".sms"))),
            )*
        ]
    };
}

const EMBEDDED: &[(&str, &str)] = embedded!(
    "code.email_verify",
    "code.sign_in",
    "code.password_reset",
    "code.step_up",
    "code.guardian",
    "code.rights",
    "contact.changed",
    "sign_in.new_device",
    "invitation",
    "account.notice",
    "incident",
    "test"
);

/// A template that cannot be used. It names the file, and the line where one is known; no variable's value.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The directory or a file of it cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// No template is of that name.
    #[error("{}: no message has a template of that name; the names are those of docs/messages.md", .0.display())]
    Unknown(PathBuf),
    /// It is not a template, or does not give a message.
    #[error("{file}, line {line}: {why}")]
    Wrong {
        /// The file, or the name of a template of the program.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// An e-mail, ready to be sent.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// All templates, tried.
pub struct Templates {
    environment: Environment<'static>,
    service: String,
    overridden: BTreeSet<String>,
    dir: Option<PathBuf>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "templates, {} of the operator", self.overridden.len())
    }
}

impl Templates {
    /// The program's templates, with the files of `dir` in the place of those of the same names. `service` is what the
    /// platform calls itself in messages.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn load(dir: Option<&Path>, service: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut templates = Self {
            environment,
            service: service.to_owned(),
            overridden: BTreeSet::new(),
            dir: dir.map(Path::to_owned),
        };
        for (name, text) in EMBEDDED {
            templates.add(name, (*text).to_owned())?;
        }
        if let Some(dir) = dir {
            templates.override_from(dir)?;
        }
        for language in Language::ALL {
            for kind in Kind::ALL {
                templates.try_out(*kind, *language)?;
            }
        }
        Ok(templates)
    }

    fn override_from(&mut self, dir: &Path) -> Result<(), TemplateError> {
        let unreadable = |path: &Path, e: &std::io::Error| TemplateError::Unreadable {
            path: path.to_owned(),
            why: e.kind().to_string(),
        };
        std::fs::read_dir(dir).map_err(|e| unreadable(dir, &e))?;
        for language in Language::ALL {
            let inner = dir.join(language.as_str());
            let Ok(entries) = std::fs::read_dir(&inner) else { continue };
            for entry in entries {
                let path = entry.map_err(|e| unreadable(&inner, &e))?.path();
                let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                let name = format!("{}/{file}", language.as_str());
                if !EMBEDDED.iter().any(|(known, _)| *known == name) {
                    return Err(TemplateError::Unknown(path));
                }
                let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
                self.overridden.insert(name.clone());
                self.add(&name, text)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, text: String) -> Result<(), TemplateError> {
        self.environment.add_template_owned(name.to_owned(), text).map_err(|e| self.wrong(name, &e))
    }

    /// Renders every part with sample variables.
    fn try_out(&self, kind: Kind, language: Language) -> Result<(), TemplateError> {
        let variables = Content::sample(kind).variables();
        let variables: serde_json::Value = serde_json::from_str(&variables).unwrap_or_default();
        for part in PARTS {
            let name = name(kind, language, part);
            let text = self.render(&name, &variables).map_err(|e| self.wrong(&name, &e))?;
            if text.trim().is_empty() {
                return Err(TemplateError::Wrong { file: self.file(&name), line: 1, why: "it gives no text".into() });
            }
        }
        Ok(())
    }

    fn wrong(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        // The error may be in a template that this one extends.
        let name = error.name().unwrap_or(name);
        let why = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        TemplateError::Wrong { file: self.file(name), line: error.line().unwrap_or(1), why }
    }

    /// Where the template of that name is.
    fn file(&self, name: &str) -> String {
        match &self.dir {
            Some(dir) if self.overridden.contains(name) => dir.join(name).display().to_string(),
            _ => name.to_owned(),
        }
    }

    fn render(&self, name: &str, variables: &serde_json::Value) -> Result<String, minijinja::Error> {
        let service = &self.service;
        let all = context! { service, ..Value::from(Serde(variables)) };
        self.environment.get_template(name)?.render(all)
    }

    /// An e-mail.
    ///
    /// # Errors
    /// The template asks for a variable that is not there. The error may quote variables: it is for nobody's eyes.
    pub(super) fn letter(
        &self,
        kind: Kind,
        language: Language,
        variables: &serde_json::Value,
    ) -> Result<Letter, minijinja::Error> {
        let part = |part| self.render(&name(kind, language, part), variables);
        Ok(Letter { subject: one_line(&part("subject")?), text: part("txt")?, html: part("html")? })
    }

    /// A text message.
    ///
    /// # Errors
    /// As [`Self::letter`].
    pub(super) fn sms(
        &self,
        kind: Kind,
        language: Language,
        variables: &serde_json::Value,
    ) -> Result<String, minijinja::Error> {
        Ok(one_line(&self.render(&name(kind, language, "sms"), variables)?))
    }
}

fn name(kind: Kind, language: Language, part: &str) -> String {
    format!("{}/{}.{part}", language.as_str(), kind.as_str())
}

/// Without line breaks and other controls, which have no place in a subject or a text message.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn loaded() -> Templates {
        Templates::load(None, "Tacit").unwrap()
    }

    fn overriding(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Templates::load(Some(dir.path()), "Tacit")
    }

    #[test]
    fn every_kind_has_every_part_in_every_language_and_no_other() {
        let mut names: BTreeSet<String> = Language::ALL.iter().map(|l| format!("{}/layout.html", l.as_str())).collect();
        for language in Language::ALL {
            for kind in Kind::ALL {
                names.extend(PARTS.iter().map(|part| name(*kind, *language, part)));
            }
        }
        assert_eq!(names, EMBEDDED.iter().map(|(n, _)| (*n).to_owned()).collect());
        loaded();
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let variables = json!({ "inviter": "<b>&\"", "organisation": "O", "url": "https://x/\"onclick=\"y" });
        let letter = loaded().letter(Kind::Invitation, Language::En, &variables).unwrap();
        assert!(letter.html.contains("&lt;b&gt;&amp;&quot;") && !letter.html.contains("<b>"), "{}", letter.html);
        assert!(!letter.html.contains("\"onclick"), "{}", letter.html);
        assert!(letter.text.contains("<b>&\""), "{}", letter.text);
    }

    #[test]
    fn a_subject_is_one_line_whatever_is_in_it() {
        let variables = json!({ "title": "Hello\r\nBcc: all@example.com\u{0} there", "text": "t" });
        let letter = loaded().letter(Kind::AccountNotice, Language::En, &variables).unwrap();
        assert_eq!(letter.subject, "Hello Bcc: all@example.com there");
        assert_eq!(
            loaded().sms(Kind::AccountNotice, Language::Zh, &variables).unwrap(),
            "【Tacit】Hello Bcc: all@example.com there"
        );
    }

    #[test]
    fn paragraphs_become_paragraphs() {
        let variables = json!({ "title": "T", "text": "one\n\ntwo" });
        let letter = loaded().letter(Kind::AccountNotice, Language::En, &variables).unwrap();
        assert!(letter.html.contains("<p>one</p>\n<p>two</p>"), "{}", letter.html);
    }

    #[test]
    fn an_operator_may_put_files_in_their_place() {
        let templates = overriding(&[("en/code.sign_in.sms", "{{ code }} of {{ service }}")]).unwrap();
        let variables = json!({ "code": "777", "minutes": 5 });
        assert_eq!(templates.sms(Kind::SignIn, Language::En, &variables).unwrap(), "777 of Tacit");
        assert!(templates.sms(Kind::SignIn, Language::Zh, &variables).unwrap().contains("验证码"));
    }

    #[test]
    fn a_template_that_gives_no_message_is_an_error_with_file_and_line() {
        let cases = [
            ("zh/code.sign_in.txt", "a\nb {{ cood }}", "zh/code.sign_in.txt, line 2: undefined value"),
            ("en/invitation.html", "x\ny\n{% if %}", "en/invitation.html, line 3: syntax error"),
            ("en/layout.html", "\n{{ nobody }}", "en/layout.html, line 2: undefined value"),
            ("en/test.subject", " \n", "en/test.subject, line 1: it gives no text"),
        ];
        for (name, text, expected) in cases {
            let error = overriding(&[(name, text)]).unwrap_err().to_string();
            assert!(error.contains(expected) && error.starts_with('/'), "{error}");
        }
        let error = overriding(&[("en/code.sing_in.txt", "x")]).unwrap_err().to_string();
        assert!(error.contains("code.sing_in.txt: no message has a template of that name"), "{error}");
        assert!(matches!(
            Templates::load(Some(Path::new("/nowhere/at/all")), "T").unwrap_err(),
            TemplateError::Unreadable { .. }
        ));
    }
}

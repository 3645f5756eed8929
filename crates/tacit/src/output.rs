//! What commands print: aligned tables and key–value lists for people, JSON for programs. The one place that writes to
//! standard output.

use serde::Serialize;
use std::io::Write;

/// Writes results in the wanted form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

/// A value that can be shown as a row of a table.
pub(crate) trait Row {
    /// Names of the columns.
    const HEAD: &'static [&'static str];
    /// Its cells, as many as there are columns.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn json(self) -> bool {
        self.json
    }

    /// A list.
    pub(crate) fn list<T: Row + Serialize>(self, items: &[T]) -> anyhow::Result<()> {
        if self.json {
            return write_json(items);
        }
        if items.is_empty() {
            return write("none\n");
        }
        write(&table(T::HEAD, &items.iter().map(Row::cells).collect::<Vec<_>>()))
    }

    /// One thing: its JSON, or each of its fields on a line.
    pub(crate) fn one<T: Serialize>(self, item: &T) -> anyhow::Result<()> {
        if self.json {
            return write_json(item);
        }
        let mut lines = Vec::new();
        flatten("", &serde_json::to_value(item)?, &mut lines);
        write(&pairs(&lines))
    }

    /// Text for people; nothing if JSON is wanted.
    pub(crate) fn text(self, text: &str) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { write(text) }
    }

    /// A JSON value if JSON is wanted, else the text.
    pub(crate) fn either<T: Serialize + ?Sized>(self, item: &T, text: &str) -> anyhow::Result<()> {
        if self.json { write_json(item) } else { write(text) }
    }
}

/// Writes text as it is.
pub(crate) fn write(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough (`tacit calls list | head`).
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn write_json<T: Serialize + ?Sized>(item: &T) -> anyhow::Result<()> {
    write(&format!("{}\n", serde_json::to_string_pretty(item)?))
}

/// Writes an error for people or programs to standard error.
pub(crate) fn error(json: bool, text: &str) {
    let line = if json { format!("{}\n", serde_json::json!({ "error": text })) } else { format!("error: {text}\n") };
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

/// Writes a remark to standard error, so that it is not mistaken for a result.
pub(crate) fn remark(text: &str) {
    drop(std::io::stderr().lock().write_all(format!("{text}\n").as_bytes()));
}

/// Columns as wide as their widest cell, two spaces between.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|h| h.to_uppercase()).collect()];
    lines.extend(rows.iter().cloned());
    let widths: Vec<usize> = (0..head.len())
        .map(|i| lines.iter().filter_map(|l| l.get(i)).map(|c| c.chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// Names and values, the values aligned.
pub(crate) fn pairs(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(k, _)| k.chars().count()).max().unwrap_or(0);
    lines.iter().map(|(k, v)| format!("{}\n", format!("{k:<width$}  {v}").trim_end())).collect()
}

/// A JSON value as names and plain values.
pub(crate) fn flatten(name: &str, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
    use serde_json::Value;
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(k, v)| flatten(&below(k), v, out)),
        Value::Array(list) if list.iter().any(|v| v.is_object() || v.is_array()) => {
            list.iter().enumerate().for_each(|(i, v)| flatten(&below(&i.to_string()), v, out));
        }
        Value::Array(list) => {
            out.push((name.to_owned(), list.iter().map(plain).collect::<Vec<_>>().join(", ")));
        }
        other => out.push((name.to_owned(), plain(other))),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A line of CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets a leading apostrophe.
pub(crate) fn csv(cells: &[String]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| {
            let risky = cell.starts_with(['=', '+', '@', '\t', '\r'])
                || (cell.starts_with('-') && cell.parse::<f64>().is_err());
            let cell = if risky { format!("'{cell}") } else { cell.clone() };
            if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        })
        .collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table(&["name", "n"], &rows), "NAME    N\na       1\nlonger\n");
    }

    #[test]
    fn nested_values_are_flattened() {
        let mut lines = Vec::new();
        flatten("", &serde_json::json!({"a": {"b": 1, "c": null}, "d": ["x", "y"], "e": [{"f": true}]}), &mut lines);
        assert_eq!(pairs(&lines), "a.b    1\nd      x, y\ne.0.f  true\n");
    }

    #[test]
    fn csv_quotes_and_disarms() {
        let cells = ["a,b", "say \"x\"", "=1+1", "-5.5", "-cmd"].map(str::to_owned);
        assert_eq!(csv(&cells), "\"a,b\",\"say \"\"x\"\"\",'=1+1,-5.5,'-cmd\r\n");
    }
}

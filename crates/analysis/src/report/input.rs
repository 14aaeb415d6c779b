//! What the runs of a study learnt from, as text and as a picture: the chapter `Data` of a report. Given by the caller, since the
//! analysis knows tables alone.

use super::svg::text::escape;

/// One data set as a reader of the report sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// What it is called.
    pub title: String,
    /// What was understood of it; lines are kept as they are.
    pub text: String,
    /// A sheet of examples.
    pub picture: Option<Picture>,
}

/// A picture that the page holds itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its bytes as a `data:` address, e.g. `data:image/png;base64,...`.
    pub address: String,
    /// What is to be seen on it, for those who do not see it.
    pub description: String,
}

/// The chapter as HTML; empty if nothing is known of the data.
pub(super) fn html(inputs: &[Input]) -> String {
    if inputs.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section id=\"data\">\n<h2>Data</h2>\n");
    for input in inputs {
        out += &format!("<h3>{}</h3>\n", escape(&input.title));
        if let Some(Picture {
            address,
            description,
        }) = &input.picture
        {
            let description = escape(description);
            out += &format!(
                "<figure>\n<img src=\"{}\" alt=\"{description}\" style=\"max-width:100%\"/>\n<figcaption>{description}</figcaption>\n</figure>\n",
                escape(address)
            );
        }
        out += &format!(
            "<pre tabindex=\"0\"><code>{}</code></pre>\n",
            escape(input.text.trim_end())
        );
    }
    out + "</section>\n"
}

/// The chapter as Markdown, without the pictures.
pub(super) fn markdown(inputs: &[Input]) -> String {
    let mut out = String::new();
    for input in inputs {
        let text = input.text.trim_end().replace("```", "'''");
        out += &format!("\n## Data: {}\n\n```text\n{text}\n```\n", input.title);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_the_picture_stands_in_the_page() {
        let input = Input {
            title: "<b>".into(),
            text: "a < b\n```\n".into(),
            picture: Some(Picture {
                address: "data:image/png;base64,AA==".into(),
                description: "five \"classes\"".into(),
            }),
        };
        let page = html(std::slice::from_ref(&input));
        assert!(page.contains("<h3>&lt;b&gt;</h3>"), "{page}");
        assert!(
            page.contains("src=\"data:image/png;base64,AA==\""),
            "{page}"
        );
        assert!(!page.contains("\"classes\""), "{page}");
        let text = markdown(&[input]);
        assert_eq!(text.matches("```").count(), 2, "{text}");
        assert!(html(&[]).is_empty() && markdown(&[]).is_empty());
    }
}

//! An answer in XML as a tree of JSON values, so that the same pointers reach into both.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// Deepest nesting that is read; an answer about keys has a handful of levels.
const MOST_LEVELS: usize = 32;

/// The document under the name of its root. Namespaces and attributes are left out; a document type, which could
/// name files or grow without bound, makes it none.
pub(super) fn tree(text: &str) -> Option<Value> {
    let document = Document::parse(text).ok()?;
    let root = document.root_element();
    let mut out = Map::new();
    out.insert(root.tag_name().name().to_owned(), element(root, 0)?);
    Some(Value::Object(out))
}

/// An element: its text, the list of its `member`s, or an object of its children. A name that stands twice is a list.
fn element(node: Node<'_, '_>, level: usize) -> Option<Value> {
    if level > MOST_LEVELS {
        return None;
    }
    let children: Vec<_> = node.children().filter(Node::is_element).collect();
    if children.is_empty() {
        return Some(Value::String(node.text().unwrap_or_default().trim().to_owned()));
    }
    if children.iter().all(|child| child.tag_name().name() == "member") {
        let items = children.into_iter().map(|child| element(child, level + 1));
        return items.collect::<Option<Vec<_>>>().map(Value::Array);
    }
    let mut out = Map::new();
    for child in children {
        let value = element(child, level + 1)?;
        match out.get_mut(child.tag_name().name()) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                out.insert(child.tag_name().name().to_owned(), value);
            }
        }
    }
    Some(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_iam_is_a_tree() {
        let text = r#"<?xml version="1.0"?><R xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><List>
            <member><Id>a</Id><Status>Active</Status></member></List><None/><More>false</More><T>1</T><T>2</T></R>"#;
        let wanted = serde_json::json!({"R": {"List": [{"Id": "a", "Status": "Active"}], "None": "",
            "More": "false", "T": ["1", "2"]}});
        assert_eq!(tree(text), Some(wanted));
    }

    #[test]
    fn what_could_grow_or_is_no_xml_is_nothing() {
        let entities = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        for text in [entities, deep.as_str(), "{}", "", "<a><b></a>"] {
            assert_eq!(tree(text), None, "{:.20}", text);
        }
    }
}

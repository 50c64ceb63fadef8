//! Checks the rules under `rules/` and packs them, analysed, into the binary, so that a scan
//! starts without parsing a single rule file. The modules are the crate's own, read by path.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]

use std::fmt::Write as _;
use std::{env, fs, path::Path, process};

#[path = "src/model"]
mod model {
    mod grade;
    pub use grade::{Class, Confidence, Severity};
}
#[path = "src/call"]
mod call {
    mod access;
    mod expect;
    mod operation;
    mod request;
    pub use access::*;
    pub use expect::*;
    pub use operation::*;
    pub use request::*;
}
#[path = "src/rule"]
mod rule {
    pub mod analyse;
    pub mod kind;
    pub mod rotate;
    pub mod schema;
    pub mod text;
    pub mod usage;
    pub use schema::*;
    pub use text::*;
}

fn main() {
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=build.rs");
    for room in [
        "src/call/access.rs",
        "src/call/expect.rs",
        "src/call/operation.rs",
        "src/call/request.rs",
        "src/rule",
        "src/model/grade.rs",
    ] {
        println!("cargo::rerun-if-changed={room}");
    }
    let out = env::var("OUT_DIR").expect("because cargo sets it");
    let root = env::var("CARGO_MANIFEST_DIR").expect("because cargo sets it");
    let mut files: Vec<_> = fs::read_dir("rules")
        .expect("the folder rules/ must be readable")
        .map(|entry| entry.expect("the folder rules/ must be readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let mut pack = rule::kind::Pack::default();
    let mut texts = String::from("&[\n");
    let mut wrong = false;
    for path in &files {
        let text = fs::read_to_string(path).expect("a rule file must be UTF-8 text");
        match toml::from_str::<rule::RuleFile>(&text) {
            Ok(file) => {
                for fault in pack.add(&file) {
                    wrong = true;
                    println!(
                        "cargo::error={}: {}: {}: {}",
                        path.display(),
                        fault.rule,
                        fault.field,
                        fault.message.replace('\n', " ")
                    );
                }
            }
            Err(e) => {
                wrong = true;
                println!("cargo::error={}: {}", path.display(), e.to_string().replace('\n', " "));
            }
        }
        let name = path.file_name().expect("because it was listed").to_string_lossy();
        writeln!(texts, "(\"{name}\", include_str!(r\"{root}/rules/{name}\")),")
            .expect("because it is a String");
    }
    texts.push(']');
    if wrong {
        process::exit(1);
    }
    let packed = postcard::to_stdvec(&pack).expect("because the pack is plain data");
    fs::write(Path::new(&out).join("rules.bin"), packed).expect("OUT_DIR must be writable");
    fs::write(Path::new(&out).join("rules.rs"), texts).expect("OUT_DIR must be writable");
}

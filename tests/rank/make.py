#!/usr/bin/env python3
"""Makes the labelled sets that the model is trained and tested on.

    tests/rank/make.py KEYWHEEL CORPUS OUT

CORPUS has train/, valid/ and test/ as pick.py makes them. Candidates of real files are the negatives, less those that
may well be credentials; positives are values made to shape, put into the very lines in which candidates stand, and
into the lines of templates.py. What is measured of all is written to OUT/<split>.neg.tsv and OUT/<split>.pos.tsv.
"""
import json
import os
import random
import shutil
import subprocess
import sys

import templates
import values

FAMILY = [("NamePassword", "password"), ("NameSecret", "secret"), ("NameToken", "token"), ("NameKey", "key"),
          ("NameAuth", "auth")]
AROUND = 1200


def read_table(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        head = file.readline().rstrip("\n").split("\t")
        for line in file:
            yield dict(zip(head, line.rstrip("\n").split("\t")))


def family(row):
    rule = row["rule"]
    if rule in ("generic-url-password", "generic-login-pair", "generic-connect-call"):
        return "url"
    if rule.startswith("generic-cli") or rule == "generic-sql-password":
        return "cmd"
    if rule == "generic-authorization-basic":
        return "auth"
    if rule in ("generic-bearer-token", "generic-authorization-token"):
        return "token"
    for feature, name in FAMILY:
        if row[feature] == "1":
            return name
    return "key"


def fits(value, row, old):
    """Whether a value can stand in the place of another."""
    rule = row["rule"]
    if rule == "generic-authorization-basic":
        return True
    if row["Quote"] in "123":
        return not set(value) & set("\"'`\\")
    bad = set(" \t\"'`<>(){}[],;&\\|")
    if rule == "generic-url-password":
        bad |= set("/@:#?%")
    if rule.startswith("generic-cli"):
        bad |= set("$@-*?!#~^&") if value[0] in "$-/" else set("$@&;")
    return not set(value) & bad and value[0] not in "=#$@%&*!|>-"


def weight(row):
    """How likely a credential is to be given to such a name on such a line."""
    number = lambda name: int(row[name])
    if row["rule"] in ("generic-url-password", "generic-authorization-basic", "generic-bearer-token",
                       "generic-login-pair", "generic-connect-call", "generic-sql-password", "generic-cli-login",
                       "generic-powershell-securestring", "generic-authorization-token"):
        return 1.0
    w = 1.0
    if not number("NameLast"):
        w *= 0.12
    if number("NameAttribute"):
        w *= 0.1
    if not number("NameStrong"):
        w *= 0.35
    w *= 0.3 ** min(2, number("NameOther"))
    w *= 0.03 if number("NamePublic") else 1
    # An example in the comment of a documentation, and an element of a list.
    w *= 0.3 if number("Comment") and number("FileTest") == 0 else 1
    w *= 0.1 if number("Operator") == 7 and number("NameOpens") != 6 else 1
    if number("Lookup"):
        w *= 0.5
    if number("NamePlural"):
        w *= 0.4
    if row["rule"] in ("generic-long-key", "generic-opaque-key", "generic-line-setting"):
        w *= 0.5
    # What stands bare in code is an expression; a literal there is in a comment or a text.
    if row["Quote"] == "0" and row["File"] == "0" and row["Comment"] == "0":
        w *= 0.05
    if number("Form") == 3:
        w *= 0.4
    return w


def doubtful(row, value):
    """Whether a value of a real file may well be a credential: neither a negative nor a positive."""
    if weight(row) < 0.2:
        return False
    number = lambda name: int(row[name])
    # What documentation shows is an example.
    if number("Comment") or number("File") == 3 or number("FileExample"):
        return False
    if number("NearHex") >= 6 or number("NearAlike") >= 6:
        return False
    digits = sum(c.isdigit() for c in value)
    letters = sum(c.isalpha() for c in value)
    odd = number("Letters") < 85 or (digits and letters and number("Changes") >= 1) or number("PasswordSigns") > 0
    return odd and number("CodeSigns") == 0 and number("Spaces") == 0 and len(value) < 200


def styled(r, base):
    name = base if r.random() < 0.5 else r.choice(templates.FRONTS) + "_" + base
    parts = name.split("_")
    camel = parts[0] + "".join(p.capitalize() for p in parts[1:])
    return {"n": r.choice((name, name, camel)), "N": name.upper(), "c": camel, "C": camel[0].upper() + camel[1:],
            "d": ".".join(parts), "k": "-".join(parts)}


def from_templates(r, split, count):
    """Positives and negatives in the lines of templates; each template belongs to one split."""
    own = [t for i, t in enumerate(templates.TEMPLATES)
           if {0: "test", 1: "valid"}.get(i * 7919 % 5, "train") == split]
    for i in range(count):
        path, kind, line = r.choice(own)
        kind = r.choice(("password", "password", "secret", "token", "key")) if kind == "*" else kind
        secret = r.random() < 0.6
        bare = '"{v}"' not in line and "'{v}'" not in line
        value = None
        for _ in range(50):
            value = values.value(r, kind) if secret else r.choice(templates.WRONG).replace("{{", "{").replace("}}", "}")
            bad = set(" \"'`<>(){}[],;&\\|/@:#?%$" if bare else "\"'`\\")
            if len(value) >= 4 and (not secret or not set(value) & bad) and value[0] not in "=-":
                break
        else:
            continue
        names = styled(r, r.choice(templates.BASES[kind]))
        names.update(u=r.choice(templates.USERS), h=r.choice(templates.HOSTS), v="\0")
        others = []
        for _ in range(r.randrange(0, 4)):
            _, k, other = r.choice([t for t in own if t[0].split("/")[-1].split(".")[-1] == path.split(".")[-1]])
            n = styled(r, r.choice(["user", "host", "port", "timeout", "name", "region", "debug", "path"]))
            n.update(u=r.choice(templates.USERS), h=r.choice(templates.HOSTS), v=r.choice(("8080", "true", "eu-west-1", "app", "info")))
            others.append(other.format(**n) if k == "*" else "")
        cut = r.randrange(len(others) + 1)
        body = line.format(**names)
        text = "\n".join(others[:cut] + [body] + others[cut:]) + "\n"
        at = text.index("\0")
        text = text.replace("\0", value)
        row = text.count("\n", 0, at)
        start = at - (text.rfind("\n", 0, at) + 1)
        yield f"t{i}/{path}", text.encode(), {"line": row + 1, "start": start, "end": start + len(value.encode()),
                                              "class": kind, "secret": secret}


def main():
    keywheel, corpus, out = sys.argv[1:4]
    most = {"train": 14000, "valid": 4500, "test": 4500}
    for split in ("train", "valid", "test"):
        r = random.Random(split)
        root = os.path.join(corpus, split)
        raw = os.path.join(out, split + ".raw.tsv")
        if not os.path.exists(raw):
            subprocess.run([keywheel, "rules", "eval", root, "--features", raw], check=True)
        rows = list(read_table(raw))
        seen, contexts = {}, []
        kept = open(os.path.join(out, split + ".neg.tsv"), "w", encoding="utf-8", errors="surrogateescape")
        head = list(rows[0]) + ["value"]
        kept.write("\t".join(head) + "\n")
        text = {}
        left_out = 0
        for row in rows:
            path = os.path.join(root, row["path"])
            if path not in text:
                text = {path: open(path, "rb").read()}
            value = text[path][int(row["start"]):int(row["end"])].decode("utf-8", "replace")
            package = row["path"].split("/")[0]
            # The same value under the same rule counts at most twice a package.
            n = seen[package, value] = seen.get((package, value), 0) + 1
            w = weight(row)
            if n <= 2:
                contexts.append((row, value, w))
                row["class"], row["secret"] = family(row), "0"
                if doubtful(row, value):
                    row["secret"] = "-"
                    left_out += 1
                shown = value.replace("\t", " ").replace("\n", " ").replace("\r", " ")[:120]
                kept.write("\t".join(list(row[h] for h in head[:-1]) + [shown]) + "\n")
        kept.close()
        print(split, len(rows), "candidates,", len(contexts), "different,", left_out, "left out")
        folder = os.path.join(out, split + ".pos")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        labels = open(os.path.join(folder, "labels.jsonl"), "w", encoding="utf-8")

        def put(path, content, label):
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content)
            labels.write(json.dumps({"path": path, **label}) + "\n")

        weights = [c[2] for c in contexts]
        # Packages with thousands of candidates must not make all the positives.
        per = {}
        for row, _, _ in contexts:
            p = row["path"].split("/")[0]
            per[p] = per.get(p, 0) + 1
        weights = [w / per[c[0]["path"].split("/")[0]] ** 0.5 for w, c in zip(weights, contexts)]
        for i, (row, old, _) in enumerate(r.choices(contexts, weights, k=most[split])):
            try:
                row["path"].encode("ascii")
            except UnicodeEncodeError:
                continue
            with open(os.path.join(root, row["path"]), "rb") as file:
                content = file.read()
            start, end = int(row["start"]), int(row["end"])
            kind = family(row)
            value = None
            for _ in range(30):
                value = values.basic(r) if row["rule"] == "generic-authorization-basic" else values.value(r, kind)
                if r.random() < 0.15 and 5 <= len(old) <= 60 and any(c.isalpha() for c in old):
                    value = values.scramble(r, old)
                if fits(value, row, old) and len(value) >= 4:
                    break
            else:
                continue
            low = content.rfind(b"\n", 0, max(0, start - AROUND)) + 1 if start > AROUND else 0
            high = content.find(b"\n", end + AROUND)
            high = len(content) if high < 0 else high
            if high - low > 12 * AROUND:
                continue
            new = content[low:start] + value.encode() + content[end:high]
            at = start - low
            line_start = new.rfind(b"\n", 0, at) + 1
            put(f"c{i}/{row['path']}", new, {"line": new.count(b"\n", 0, at) + 1, "start": at - line_start,
                                              "end": at - line_start + len(value.encode()), "class": kind, "secret": True})
        for path, content, label in from_templates(r, split, most[split] // 3):
            put(path, content, label)
        labels.close()
        subprocess.run([keywheel, "rules", "eval", folder, "--features", os.path.join(out, split + ".pos.tsv")], check=True)
        made = sum(1 for line in open(os.path.join(folder, "labels.jsonl"), encoding="utf-8"))
        reached = {(row["path"], row["class"], row["secret"]) for row in read_table(os.path.join(out, split + ".pos.tsv")) if row["secret"] != "-"}
        print(split, made, "labels,", len(reached), "reached by a candidate")


main()

#!/usr/bin/env python3
"""Turns corpora that are not in CoNLL columns into files the tagger is trained with.

    corpora.py SOURCES OUT

SOURCES holds, beside what lists.py reads (all of docs/pii-data.md):
    litbank/    coref/brat of LitBank: *.txt and *.ann
    gum/        GUM_*.conllu of the genres whose texts are CC BY or public domain
    ler/        ler_dev.conll of the German legal decisions
    europeana/  *.bio of the historical newspapers
OUT/corpora gets one .conll a corpus. Titles before a name are no part of it.
"""
import pathlib
import re
import sys

src, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / "corpora"
out.mkdir(parents=True, exist_ok=True)

TITLES = set("""mr mrs ms miss mr. mrs. ms. dr dr. prof prof. sir lady lord madame madam mme monsieur m. master captain capt. colonel col. general
gen. major lieutenant lt. sergeant king queen prince princess president senator sen. rep. representative congressman minister prime chancellor
secretary governor mayor judge justice professor doctor reverend rev. father brother sister aunt uncle cousin old young little poor dear the my
our his her your their former late count countess duke duchess baron earl saint st. pope bishop archbishop administrator director chairman petitioner respondent petitioners respondents detective""".split())
GENRES = {"news", "interview", "textbook", "speech", "vlog", "court"}
JOINERS = {"of", "the", "de", "von", "van", "der", "la", "le", "du", "and", "for", "'s", "-", ".", "&", "del", "di", "al"}


def trim(words, lo, hi, kind):
    """The part of a mention that is the name itself, or nothing."""
    if kind == "PER":
        lo = max([lo] + [i + 1 for i in range(lo, hi - 1) if words[i].lower() in TITLES])
    while lo < hi and (words[lo].lower() in TITLES and (kind == "PER" or words[lo].islower() or words[lo] == "The") or not words[lo][0].isalnum()):
        lo += 1
    while hi > lo and (words[hi - 1] in JOINERS or not words[hi - 1][-1].isalnum()) and words[hi - 1] != ".":
        hi -= 1
    body = words[lo:hi]
    if kind == "PER" and len(body) == 1 and re.search("(ans|ews|ims|sh)$", body[0]):
        return None  # a people, not a person
    if not body or len(body) > 7 or not body[0][0].isupper() or any(w[0].islower() and w not in JOINERS for w in body):
        return None
    return lo, hi


def write(name, sentences):
    with open(out / (name + ".conll"), "w", encoding="utf-8") as f:
        for words, spans in sentences:
            tags = ["O"] * len(words)
            for lo, hi, kind in spans:
                if all(t == "O" for t in tags[lo:hi]):
                    tags[lo:hi] = ["B-" + kind] + ["I-" + kind] * (hi - lo - 1)
            f.writelines(f"{w} {t}\n" for w, t in zip(words, tags))
            f.write("\n")


def litbank():
    kinds = {"PROP_PER": "PER", "PROP_GPE": "LOC", "PROP_LOC": "LOC", "PROP_FAC": "LOC", "PROP_ORG": "ORG"}
    for txt in sorted((src / "litbank").glob("*.txt")):
        text = txt.read_text(encoding="utf-8")
        marks = []
        for line in txt.with_suffix(".ann").read_text(encoding="utf-8").splitlines():
            f = line.split("\t")
            if f[0].startswith("T") and f[1].split()[0] in kinds:
                k, lo, hi = f[1].split()[:3]
                marks.append((int(lo), int(hi), kinds[k]))
        at = 0
        for line in text.split("\n"):
            words, starts = [], []
            for m in re.finditer(r"\S+", line):
                words.append(m.group())
                starts.append(at + m.start())
            spans = []
            for lo, hi, kind in sorted(marks, key=lambda m: m[0] - m[1]):
                inside = [i for i, s in enumerate(starts) if lo <= s < hi]
                got = trim(words, inside[0], inside[-1] + 1, kind) if inside else None
                if got:
                    spans.append((*got, kind))
            if words:
                yield words, spans
            at += len(line) + 1


def gum():
    kinds = {"person": "PER", "place": "LOC", "organization": "ORG"}
    for path in sorted((src / "gum").glob("GUM_*.conllu")):
        if path.name.split("_")[1] not in GENRES:
            continue
        words, proper, open_, spans = [], [], [], []
        for line in path.read_text(encoding="utf-8").split("\n") + [""]:
            if line.startswith("#"):
                continue
            f = line.split("\t")
            if len(f) < 10:
                if words:
                    yield words, sorted(spans, key=lambda s: s[0] - s[1])
                words, proper, open_, spans = [], [], [], []
                continue
            if not f[0].isdigit():
                continue
            words.append(f[1].replace(" ", ""))
            proper.append(f[4] in ("NNP", "NNPS") and f[1][0].isupper())
            marks = re.search(r"Entity=([^|]*)", f[9])
            for m in re.finditer(r"\(([^()]*)|(\d+)\)|\)", marks.group(1) if marks else ""):
                if m.group(1) is not None:
                    g = m.group(1).split("-")
                    open_.append((g[0], g[1] if len(g) > 1 else "", len(words) - 1))
                    if not (marks.group(1)[m.end():m.end() + 1] == ")" ):
                        continue
                    done = open_.pop()
                else:
                    same = [k for k in range(len(open_) - 1, -1, -1) if open_[k][0] == (m.group(2) or open_[k][0])]
                    if not same:
                        continue
                    done = open_.pop(same[0])
                _, kind, lo = done
                run = longest(words, proper, lo, len(words))
                got = trim(words, *run, kinds[kind]) if kind in kinds and run else None
                if got:
                    spans.append((*got, kinds[kind]))


def longest(words, proper, lo, hi):
    """The first run of proper nouns, with small words between them."""
    first = next((i for i in range(lo, hi) if proper[i]), None)
    if first is None or any(w in (",", "who", "that") for w in words[lo:first]):
        return None
    end = first
    for i in range(first, hi):
        if proper[i]:
            end = i + 1
        elif words[i] not in JOINERS and not words[i].isdigit():
            break
    return first, end


def columns(paths, kinds):
    """Files of two columns, with or without blank lines between sentences."""
    for path in paths:
        words, spans = [], []
        for line in open(path, encoding="utf-8"):
            f = line.split()
            if len(f) >= 2:
                part, _, label = f[-1].partition("-")
                kind = kinds.get(label)
                if kind and part == "B" or kind and not (spans and spans[-1][1] == len(words) and spans[-1][2] == kind):
                    spans.append((len(words), len(words) + 1, kind))
                elif kind:
                    spans[-1] = (spans[-1][0], len(words) + 1, kind)
                words.append(f[0])
            if words and (len(f) < 2 or f[0] == "." and len(words) > 4 or len(words) > 80):
                yield words, spans
                words, spans = [], []
        if words:
            yield words, spans


plain = {"PER": "PER", "LOC": "LOC", "ORG": "ORG"}
law = {"PER": "PER", "RR": "PER", "AN": "PER", "LD": "LOC", "ST": "LOC", "STR": "LOC", "LDS": "LOC",
       "ORG": "ORG", "UN": "ORG", "INN": "ORG", "GRT": "ORG", "MRK": "ORG"}


def dense(sentences):
    """Of a corpus that was read by machine and labelled with gaps, the sentences full of names."""
    for words, spans in sentences:
        named = sum(kind != "ORG" for _, _, kind in spans)
        if 4 < len(words) < 60 and named >= 2 and named * 12 >= len(words):
            yield words, spans


write("litbank", litbank())
write("gum", gum())
write("ler", columns(sorted((src / "ler").glob("*.conll")), law))
for file in sorted((src / "europeana").glob("*.bio")):
    write("europeana-" + file.stem, dense(columns([file], plain)))

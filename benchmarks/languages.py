"""Language identification: lmkit classify beside langid and py3langid, on ten languages.

    pip install langid py3langid
    python benchmarks/languages.py FOLDER

The texts are the translations that come with three Python packages, which pip fetches into FOLDER:
messages of the content managers Plone and Wagtail to train on, of the framework Django to test on.
So train and test are of different programs but of one kind: labels, hints and error messages. Two
sets are tested: messages of at most 20 characters, and the first 50 characters (cut at a space) of
longer ones. What one language has of another (a message that is not translated, or is the same in
both) is left out, as is what the training text has.

The other two programs are restricted to the same ten languages. They were trained by their authors
on other kinds of text and 97 languages; lmkit is trained here on the kind that is tested.
"""

from __future__ import annotations

import ast
import html
import re
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import lmkit
from lmkit.evaluate.classification import Classifier
from lmkit.text.settings import TextSettings

LANGUAGES = ("da", "de", "en", "es", "fi", "fr", "it", "nl", "pt", "sv")
TRAIN = ("plone.app.locales==7.0.4", "wagtail==8.0.1")
TEST = ("Django==5.2.19",)
SHORT, LONG = 20, 50
ORDER = 6

PLACEHOLDER = re.compile(r"\$\w+|%\(\w+\)\w|%[\w%]|\$?\{[^}]*\}|<[^>]*>|https?://\S+|&\w+;")
QUOTES = str.maketrans("“”„«»‘’", '"""""\'\'')
"""Which quotation marks there are tells the translator rather than the language."""
LETTERS = re.compile(r"[^\W\d_]{2}")


def main(folder: Path) -> None:
    make(folder)
    compare(folder)


# -- the texts ------------------------------------------------------------------------------------


def make(folder: Path) -> None:
    """Write train/LANGUAGE.txt, short.tsv and long.tsv to ``folder``."""
    train, test = messages(folder, TRAIN), messages(folder, TEST)
    (folder / "train").mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        text = "".join(f"{line}\n" for line in train[language])
        (folder / "train" / f"{language}.txt").write_text(text, encoding="utf-8")
    seen = {line for lines in train.values() for line in lines}
    shared = Counter(line for lines in test.values() for line in lines)
    for name, cut in (("short", short), ("long", long)):
        with open(folder / f"{name}.tsv", "w", encoding="utf-8") as file:
            for language in LANGUAGES:
                for line in test[language]:
                    if line not in seen and shared[line] == 1 and (piece := cut(line)):
                        file.write(f"{language}\t{piece}\n")


def short(line: str) -> str:
    return line if len(line) <= SHORT else ""


def long(line: str) -> str:
    return line[: LONG + 1].rpartition(" ")[0] if len(line) > LONG else ""


def messages(folder: Path, packages: tuple[str, ...]) -> dict[str, list[str]]:
    """The distinct messages of ``packages`` in each language, in their order."""
    found: dict[str, dict[str, None]] = {language: {} for language in LANGUAGES}
    for wheel in wheels(folder, packages):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                language = name.split("/LC_MESSAGES/")[0].rpartition("/")[2]
                if not name.endswith(".po") or language not in LANGUAGES:
                    continue
                for source, text in entries(archive.read(name).decode()):
                    if language == "en":
                        text = text or source
                    elif text == source:
                        continue
                    if line := cleaned(text):
                        found[language][line] = None
    # What stands in the English text too is not translated.
    return {
        language: [line for line in lines if language == "en" or line not in found["en"]]
        for language, lines in found.items()
    }


def wheels(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    place = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(place)]
    subprocess.run([*command, *packages], check=True)
    names = [re.sub(r"[.-]", "_", package.partition("==")[0].lower()) for package in packages]
    found = {one.name.lower().partition("-")[0]: one for one in place.glob("*.whl")}
    return [found[name] for name in names]


def entries(catalogue: str) -> Iterator[tuple[str, str]]:
    """Each message of a .po file: in the program (Plone: its default), and translated."""
    for entry in re.split(r"\n\s*\n", catalogue):
        if "\n#," in f"\n{entry}" and "fuzzy" in entry.partition("msgid")[0]:
            continue
        default = re.search(r'^#\. Default: (".*")$', entry, re.MULTILINE)
        fields = {
            name: "".join(map(ast.literal_eval, re.findall(r'^"(?:[^"\\]|\\.)*"', value, re.M)))
            for name, value in re.findall(
                r'^(msgid|msgstr(?:\[0\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', entry, re.MULTILINE
            )
        }
        source = fields.get("msgid", "")
        if source:
            text = fields.get("msgstr") or fields.get("msgstr[0]", "")
            yield (ast.literal_eval(default[1]) if default else source), text


def cleaned(message: str) -> str:
    """One line of ``message`` without what stands for other text; nothing if no word is left."""
    if "label_" in message or "_" in message.split(" ")[0]:
        return ""
    line = " ".join(PLACEHOLDER.sub(" ", html.unescape(message)).translate(QUOTES).split())
    return line if LETTERS.search(line) else ""


# -- the programs ---------------------------------------------------------------------------------


def compare(folder: Path) -> None:
    texts = sorted((folder / "train").iterdir())
    size = sum(text.stat().st_size for text in texts)
    started = time.process_time()
    settings = TextSettings(tokenizer="char")
    (folder / "models").mkdir(exist_ok=True)
    for text in texts:
        lmkit.train(text, output=folder / "models" / f"{text.stem}.lm", order=ORDER,
                    settings=settings)  # fmt: skip
    print(f"trained on {size / 1e6:.1f} MB in {time.process_time() - started:.1f} s of CPU")
    for name in ("short", "long"):
        lines = (folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
        pairs = [line.split("\t") for line in lines]
        length = sum(len(text) for _, text in pairs) / len(pairs)
        print(f"\n{name}: {len(pairs):,} lines, {length:.1f} characters each")
        for program, identify in programs(folder).items():
            judge(program, identify, pairs)


def judge(program: str, identify: Callable[[list[str]], list[str]], pairs: list[list[str]]) -> None:
    identify([text for _, text in pairs[:100]])  # what is loaded once is no part of the speed
    started = time.process_time()
    found = identify([text for _, text in pairs])
    seconds = time.process_time() - started
    wrong = Counter(
        (true, label) for (true, _), label in zip(pairs, found, strict=True) if true != label
    )
    accuracy = 1 - sum(wrong.values()) / len(pairs)
    most = ", ".join(f"{true} as {label} {n}" for (true, label), n in wrong.most_common(4))
    print(f"{program:<14} {100 * accuracy:6.2f} %  {len(pairs) / seconds:10,.0f} lines/s  ({most})")


def programs(folder: Path) -> dict[str, Callable[[list[str]], list[str]]]:
    import langid
    import py3langid

    models = {one.stem: lmkit.load(one) for one in sorted((folder / "models").glob("*.lm"))}
    classifier = Classifier(models)

    def ours(lines: list[str]) -> list[str]:
        labels = []
        for start in range(0, len(lines), 2000):
            found = classifier(lines[start : start + 2000])
            labels += [found.labels[best] for best in found.best.tolist()]
        return labels

    langid.set_languages(list(LANGUAGES))
    py3langid.set_languages(list(LANGUAGES))
    return {
        "lmkit classify": ours,
        "langid": lambda lines: [langid.classify(line)[0] for line in lines],
        "py3langid": lambda lines: [py3langid.classify(line)[0] for line in lines],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

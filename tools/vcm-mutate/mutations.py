# SPDX-License-Identifier: GPL-2.0
"""What a driver can be mutated to: places of the code, and what comes there.

coccinelle says where expressions and statements are, the rules here what is put in
their place. A rule knows names by what they are called all
over the kernel, and no place of a driver.
"""

import bisect
import collections
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import tempfile

KINDS = ("unlock", "put", "sync", "unlink", "check", "step", "compare", "sign",
         "direction", "size", "flag", "limit", "node")

# Statements that are left out, by what they call.
DROPPED = (
    ("unlock", r"(^|_)(unlock|up_read|up_write|leave)(_|$)"),
    ("sync", r"(^|_)(sync|flush|invalidate)(_|$)"),
    ("unlink", r"(^|_)(unlink|unmap|unplace|detach|erase|list_del|del|unlist|unregister)(_|$)"),
    ("put", r"(^|_)(put|k?v?free|destroy|release|drop|unreserve|retire|unref|remove"
            r"|cancel|unpin|uncharge|exit|stop|close)(_|$)"),
)

# The other one of a pair.
PAIRS = {}
for _a, _b in (("DMA_TO_DEVICE", "DMA_FROM_DEVICE"), ("rb_left", "rb_right"),
               ("rb_prev", "rb_next"), ("rb_first", "rb_last"), ("list_add", "list_add_tail"),
               ("list_first_entry", "list_last_entry"), ("list_splice", "list_splice_tail"),
               ("ALIGN", "ALIGN_DOWN"), ("min", "max"), ("min_t", "max_t"),
               ("IOMMU_READ", "IOMMU_WRITE"), ("VM_READ", "VM_WRITE")):
    PAIRS[_a], PAIRS[_b] = _b, _a
PAIRS["DMA_BIDIRECTIONAL"] = "DMA_TO_DEVICE"

OPERATORS = {
    "<": (("step", "<="), ("compare", ">")), "<=": (("step", "<"), ("compare", ">=")),
    ">": (("step", ">="), ("compare", "<")), ">=": (("step", ">"), ("compare", "<=")),
    "==": (("compare", "!="),), "!=": (("compare", "=="),),
    "+": (("sign", "-"),), "-": (("sign", "+"),),
    "<<": (("direction", ">>"),), ">>": (("direction", "<<"),),
    "+=": (("sign", "-="),), "-=": (("sign", "+="),),
    "++": (("sign", "--"),), "--": (("sign", "++"),),
}

FLAG = re.compile(r"[~(]*[A-Z][A-Z0-9_]*(\s*\|\s*[A-Z][A-Z0-9_]*)*\)*$")
SIZE = re.compile(r"[\w>.*()-]*?(^|[_.>]|\b)(len|length|size|bytes|pages|guard|align|room|unit)$")
NODE = re.compile(r"([\w]+(->|\.))*nid$")
UNIT = re.compile(r"(PAGE_SIZE|SZ_\w+|PMD_SIZE)$")
SHIFT = re.compile(r"\w+_SHIFT$")
NUMBER = re.compile(r"(0x[0-9a-f]+|0|[1-9]\d*)([uU]?[lL]{0,2})$")
NODE_OF = re.compile(r"(page_to_nid|numa_mem_id|numa_node_id|dev_to_node)$")
JUMP = re.compile(r"(return|goto|break|continue)\b[^;]*;\s*\}?$")

# What is in these calls is decided when compiling, is only there for a kernel with
# a bug, or is text for somebody who traces.
QUIET = re.compile(r"(WARN_ON(_ONCE)?|BUILD_BUG_ON\w*|static_assert|lockdep_\w+|trace_\w+"
                   r"|sizeof|typeof|offsetof\w*|KUNIT_STATIC_STUB_REDIRECT|might_\w+|pr_\w+"
                   r"|dev_(err|warn|info|dbg)\w*|ARRAY_SIZE|container_of|list_entry|rb_entry\w*)$")
# ... and these take a variable and not its value.
PLACES = re.compile(r"(READ_ONCE|WRITE_ONCE|get_user|put_user|for_each\w*|\w+_for_each\w*"
                    r"|rbtree_\w+|check_(add|sub|mul)_overflow|xchg|cmpxchg|DECLARE_\w+"
                    r"|DEFINE_\w+)$")


@dataclasses.dataclass
class Mutant:  # pylint: disable=too-many-instance-attributes
    """What one mutation puts in place of a part of a file."""
    file: str
    function: str
    kind: str
    start: int
    end: int
    new: str
    line: int
    old: str
    which: int = 1
    reason: str = ""
    # What makes it no mutation if the compiler knows that it is so.
    same_if: str = ""

    @property
    def is_statement(self):
        """A statement that is left out, or else an expression."""
        return not self.new

    @property
    def text(self):
        """The mutation for a reader, in a line."""
        old = " ".join(self.old.split())
        return f"{old} -> {' '.join(self.new.split()) or 'nothing'}"

    @property
    def key(self):
        """What stays the same when lines move, or files."""
        which = f" ({self.which})" if self.which > 1 else ""
        return f"{self.function}: {self.text}{which}"


class Source:
    """A file, its lines, and the parts that are not to be mutated."""

    def __init__(self, top, name):
        self.name = name
        with open(os.path.join(top, name), encoding="ascii") as file:
            self.text = file.read()
        self.lines = [0]
        for match in re.finditer("\n", self.text):
            self.lines.append(match.end())
        self.quiet = [match.span() for pattern in (
            r"^[ \t]*#(.*\\\n)*.*",                    # preprocessor
            r"^[ \t]+static\s[^;]*;",                  # variables that are there for good
            r"^[ \t]*case\s[^:]*:",
            r"/\*.*?\*/",
        ) for match in re.finditer(pattern, self.text, re.M | re.S if "/" in pattern else re.M)]

    def span(self, position):
        """The offsets of [line, column, last line, column behind]."""
        return (self.lines[position[0] - 1] + position[1],
                self.lines[position[2] - 1] + position[3])

    def line_of(self, offset):
        """The number of the line that has this offset."""
        return bisect.bisect_right(self.lines, offset)

    def is_quiet(self, start, end):
        """Is it in a part that is not to be mutated?"""
        return any(s < end and start < e for s, e in self.quiet)


# Where a file can be mutated, as rules of coccinelle: what is declared, and a pattern with
# names (@) for the positions that a rule_...() of Finder gets.
PLACES_OF = {
    "binary": ("expression E, F; binary operator b;", " E@left b@operator F@right"),
    "assign": ("expression E, F; assignment operator b;", " E@left b@operator F@right"),
    "init": ("type T; identifier i; expression E;", " T i = E@right;"),
    "post": ("expression E;", "(\n E@left ++@operator\n|\n E@left --@operator\n)"),
    "pre": ("expression E;", "(\n" + "\n|\n".join(
        f" {operator}@operator E@right" for operator in ("++", "--", "!", "-")) + "\n)"),
    "constant": ("constant C;", " C@text"),
    "name": ("idexpression x;", " x@text"),
    "argument": ("expression f, E;", " f@callee(..., E@text, ...)"),
    "member": ("expression E; identifier m;",
               "(\n E@left->m@text\n|\n E@left.m@text\n)"),
    "call": ("expression f; expression list es;", " f@callee(es)@end"),
    "statement": ("expression f; expression list es;", " f@callee(es);@end"),
    "check": ("expression E; statement S;", " if (E@condition) S@body"),
}

# Each place is a line of JSON: the rule, the function, and the positions by name, each of
# them [line, column, last line, column behind].
SCRIPT = """@initialize:python@
@@
import json
import sys

def place(rule, **parts):
    line = {"rule": rule, "function": next(iter(parts.values()))[0].current_element}
    for name, position in parts.items():
        p = position[0]
        line[name] = [int(p.line), int(p.column), int(p.line_end), int(p.column_end)]
    sys.stdout.write(json.dumps(line) + "\\n")
"""


def script():
    """All rules for spatch."""
    text = SCRIPT
    for rule, (declared, pattern) in PLACES_OF.items():
        names = list(dict.fromkeys(re.findall(r"@(\w+)", pattern)))
        # In coccinelle's own names no word may be one of C or its.
        marked = re.sub(r"@(\w+)", r"@p_\1", pattern)
        parts = ", ".join(f"{name}=p_{name}" for name in names)
        text += (f"\n@r_{rule}@\n{declared}\nposition {', '.join('p_' + n for n in names)};\n"
                 f"@@\n{marked}\n\n@script:python@\n")
        text += "".join(f"p_{name} << r_{rule}.p_{name};\n" for name in names)
        text += f"@@\nplace(\"{rule}\", {parts})\n"
    return text


def read_places(top, name):
    """Everything that the rules find in a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".cocci") as file:
        file.write(script())
        file.flush()
        run = subprocess.run(
            ["spatch", "--very-quiet", "--no-includes", "--iso-file", "/dev/null",
             "--sp-file", file.name, name],
            cwd=top, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"spatch {name}: {run.stderr.strip()}")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def split_arguments(text):
    """The arguments in the text of a call between its parentheses."""
    parts, depth, part = [], 0, ""
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    return parts + [part.strip()]


class Finder:
    """Makes mutants of the places of one file."""

    def __init__(self, top, name):
        self.source = Source(top, name)
        self.mutants = {}
        places = [p for p in read_places(top, name) if p["function"] != "something_else"]
        self.spans = [(p.pop("rule"), p.pop("function"),
                       {name: self.source.span(position) for name, position in p.items()})
                      for p in places]
        self.function = None

    def text(self, span):
        """The text of a part."""
        return self.source.text[span[0]:span[1]]

    def find(self):
        """All mutants of the file, in the order of the text."""
        self.skip_calls()
        for rule, self.function, parts in self.spans:
            getattr(self, f"rule_{rule}")(parts)
        found, keys = [], collections.Counter()
        for mutant in sorted(self.mutants.values(), key=lambda m: (m.start, m.end, m.kind, m.new)):
            keys[mutant.key] += 1
            found.append(dataclasses.replace(mutant, which=keys[mutant.key]))
        return found

    def skip_calls(self):
        """Adds calls to what is not to be mutated."""
        for rule, _, parts in self.spans:
            if rule == "call" and QUIET.match(self.text(parts["callee"])):
                self.source.quiet.append((parts["callee"][0], parts["end"][1]))

    def add(self, kind, start, end, new, same_if=""):
        """A mutant, unless it is where none is to be, or another rule has it."""
        old = self.source.text[start:end]
        if self.source.is_quiet(start, end) or " ".join(old.split()) == " ".join(new.split()):
            return
        mutant = Mutant(self.source.name, self.function, kind, start, end, new,
                        self.source.line_of(start), old, same_if=same_if)
        self.mutants.setdefault((start, end, new), mutant)

    def is_place(self, span):
        """Is it assigned to, or is its address taken?"""
        before = self.source.text[:span[0]].rstrip()
        after = self.source.text[span[1]:].lstrip()
        return (before.endswith(("&", "++", "--", "->", ".")) and not before.endswith("&&")) or \
            after.startswith(("++", "--")) or re.match(r"([-+|&]|<<|>>)?=[^=]", after) is not None

    # ---- rules: what a place of places.cocci gives

    def rule_binary(self, parts):
        """left operator right"""
        start, end = parts["left"][0], parts["right"][1]
        left, right = self.text(parts["left"]), self.text(parts["right"])
        operator = self.text(parts["operator"])
        for kind, other in OPERATORS.get(operator, ()):
            if kind != "step" or not self.is_saturated(end, left, operator, right):
                self.add(kind, start, end, f"{left} {other} {right}")
        if operator in ("&&", "||"):
            no = "!" if operator == "||" else ""
            self.add("check", start, end, left, f"{no}({right})")
            self.add("check", start, end, right, f"{no}({left})")
        elif operator in ("*", "/"):
            self.add("size", start, end, left)
        elif operator == "&":
            if FLAG.match(right) or FLAG.match(left):
                self.add("flag", start, end, "0")
            else:
                self.add("size", start, end, left)
        elif operator == "|":
            if FLAG.match(right):
                self.add("flag", start, end, left)
            if FLAG.match(left):
                self.add("flag", start, end, right)
        if operator not in ("&&", "||"):
            self.value(parts["left"])
            self.value(parts["right"])

    def rule_assign(self, parts):
        """left = right, left += right ..."""
        left, right = self.text(parts["left"]), self.text(parts["right"])
        operator = self.text(parts["operator"])
        start, end = parts["left"][0], parts["right"][1]
        for kind, other in OPERATORS.get(operator, ()):
            self.add(kind, start, end, f"{left} {other} {right}")
        if operator in ("|=", "&="):
            self.add("flag", start, end, left)
        self.value(parts["right"])

    def rule_init(self, parts):
        """type name = right;"""
        self.value(parts["right"])

    def rule_post(self, parts):
        """left++"""
        left, operator = self.text(parts["left"]), self.text(parts["operator"])
        self.add("sign", parts["left"][0], parts["operator"][1], left + OPERATORS[operator][0][1])

    def rule_pre(self, parts):
        """++right, !right, -right"""
        right, operator = self.text(parts["right"]), self.text(parts["operator"])
        start, end = parts["operator"][0], parts["right"][1]
        if operator in OPERATORS and len(operator) == 2:
            self.add("sign", start, end, OPERATORS[operator][0][1] + right)
        else:
            self.add("compare" if operator == "!" else "sign", start, end, right)

    def rule_constant(self, parts):
        """A number, or a name in capitals"""
        span, text = parts["text"], self.text(parts["text"])
        if self.source.text[span[1]:].startswith("("):
            return
        self.value(span)
        number = NUMBER.match(text)
        before = self.source.text[:span[0]].rstrip()
        if number and not before.endswith("return"):
            self.add("step", *span, f"{int(number[1], 0) + 1}{number[2]}")
        elif text in PAIRS:
            self.add("direction", *span, PAIRS[text])
        elif UNIT.match(text):
            self.add("size", *span, f"{text} * 2")
        elif SHIFT.match(text):
            self.add("size", *span, f"{text} + 1")

    def rule_name(self, parts):
        """A variable"""
        span, text = parts["text"], self.text(parts["text"])
        if NODE.match(text) and not self.is_place(span) and not self.in_place_of(span):
            self.add("node", *span, "0")

    def rule_argument(self, parts):
        """callee(..., text, ...)"""
        if not PLACES.match(self.text(parts["callee"])):
            self.value(parts["text"])

    def rule_member(self, parts):
        """left->text"""
        span, text = parts["text"], self.text(parts["text"])
        if text not in PAIRS:
            return
        whole = (parts["left"][0], span[1])
        address = self.source.text[:whole[0]].endswith("&")
        if address:
            whole = (whole[0] - 1, whole[1])
        elif self.is_place(whole):
            return
        self.add("direction", *whole, self.source.text[whole[0]:span[0]] + PAIRS[text])

    def rule_call(self, parts):
        """callee(...)"""
        callee = self.text(parts["callee"])
        start, end = parts["callee"][0], parts["end"][1]
        whole = self.source.text[start:end]
        rest = whole[len(callee):]
        arguments = split_arguments(rest.strip()[1:-1])
        other = PAIRS.get(callee)
        if callee.endswith("_for_cpu"):
            other = callee.replace("_for_cpu", "_for_device")
        elif callee.endswith("_for_device"):
            other = callee.replace("_for_device", "_for_cpu")
        if other:
            self.add("direction", start, end, other + rest)
        if callee in ("min", "max", "min3", "max3", "umin", "umax"):
            for argument in arguments:
                self.add("limit", start, end, argument)
        elif callee in ("min_t", "max_t", "clamp", "min_not_zero"):
            self.add("limit", start, end, arguments[1 if callee.endswith("_t") else 0])
        elif callee in ("ALIGN", "ALIGN_DOWN", "PAGE_ALIGN", "round_up", "round_down"):
            self.add("size", start, end, arguments[0])
        elif NODE_OF.match(callee):
            self.add("node", start, end, "0")

    def rule_statement(self, parts):
        """callee(...);"""
        callee = self.text(parts["callee"])
        name = re.search(r"\w+$", callee)
        for kind, pattern in DROPPED:
            if name and re.search(pattern, name[0]):
                # Which does nothing without CONFIG_DEBUG_MUTEXES.
                if name[0] != "mutex_destroy":
                    self.add(kind, parts["callee"][0], parts["end"][1], "")
                return

    def rule_check(self, parts):
        """if (condition) body"""
        condition = self.text(parts["condition"])
        if not re.match(r"!?(un)?likely|!?WARN_ON", condition):
            jumps = JUMP.search(self.text(parts["body"]))
            self.add("check", *parts["condition"], "0" if jumps else "1")

    # ---- what several rules share

    def in_place_of(self, span):
        """Is it an argument of what takes a variable?"""
        return any(rule == "argument" and parts["text"] == span and
                   PLACES.match(self.text(parts["callee"])) for rule, _, parts in self.spans) or \
            re.search(r"for_each\w*\($", self.source.text[:span[0]]) is not None

    def is_saturated(self, end, left, operator, right):
        """left > right ? left - right : 0 is the same with >= in it."""
        more, less = (left, right) if operator == ">" else (right, left)
        return re.match(r"\)?\s*\?\s*" + re.escape(f"{more} - {less} :"), self.source.text[end:])

    def value(self, span):
        """A value that is used."""
        text = self.text(span)
        if text in ("true", "false"):
            self.add("flag", *span, "false" if text == "true" else "true")
        elif SIZE.match(text) and not self.is_place(span):
            self.add("size", *span, f"{text} / 2")


def find_files(top):
    """The files of the drivers: without their tests and trace events."""
    files = []
    for directory, subs, names in os.walk(os.path.join(top, "drivers")):
        subs[:] = sorted(s for s in subs if s != "tests")
        files += [os.path.relpath(os.path.join(directory, n), top) for n in sorted(names)
                  if re.match(r"vcm.*(?<!_trace)\.[ch]$", n) and not n.endswith(".mod.c")]
    return files


def find_mutants(top):
    """All mutants by file."""
    return {name: Finder(top, name).find() for name in find_files(top)}


def rank(seed, text):
    """A random number that a text has for a seed, whatever other texts there are."""
    return hashlib.sha256(f"{seed} {text}".encode()).digest()


def choose(mutants, seed):
    """One mutant after the other, evenly over the code: of a file as many as it has places, but
    one of each at first, and in it evenly over the kinds. What changes elsewhere in the code
    changes little of it.
    """
    left = {}
    for name, places in mutants.items():
        kinds = collections.Counter()
        queue = []
        for mutant in sorted(places, key=lambda m: rank(seed, m.key)):
            queue.append((kinds[mutant.kind], rank(seed, name + mutant.kind), mutant))
            kinds[mutant.kind] += 1
        left[name] = [mutant for _, _, mutant in sorted(queue, key=lambda q: q[:2])]
    places = [(nr / len(queue), rank(seed, name), mutant)
              for name, queue in left.items() for nr, mutant in enumerate(queue)]
    return [mutant for _, _, mutant in sorted(places, key=lambda p: p[:2])]

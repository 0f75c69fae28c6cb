// SPDX-License-Identifier: GPL-2.0
//
// Where a driver can be mutated: prints a line of JSON for each place,
//
//   {"rule": ..., "function": ..., NAME: [line, column, last line, column behind], ...}
//
// with the positions of what each rule names. What is put there says mutations.py.

@initialize:python@
@@
import json
import sys

def place(rule, **parts):
    line = {"rule": rule, "function": next(iter(parts.values()))[0].current_element}
    for name, position in parts.items():
        p = position[0]
        line[name] = [int(p.line), int(p.column), int(p.line_end), int(p.column_end)]
    sys.stdout.write(json.dumps(line) + "\n")

// ---- operators ----

@r_binary@
expression E1, E2;
binary operator b;
position l, o, r;
@@
 E1@l b@o E2@r

@script:python@
l << r_binary.l;
o << r_binary.o;
r << r_binary.r;
@@
place("binary", left=l, operator=o, right=r)

@r_assign@
expression E1, E2;
assignment operator b;
position l, o, r;
@@
 E1@l b@o E2@r

@script:python@
l << r_assign.l;
o << r_assign.o;
r << r_assign.r;
@@
place("assign", left=l, operator=o, right=r)

@r_init@
type T;
identifier i;
expression E;
position r;
@@
 T i = E@r;

@script:python@
r << r_init.r;
@@
place("init", right=r)

@r_post@
expression E;
position l, o;
@@
(
 E@l ++@o
|
 E@l --@o
)

@script:python@
l << r_post.l;
o << r_post.o;
@@
place("post", left=l, operator=o)

@r_pre@
expression E;
position r, o;
@@
(
 ++@o E@r
|
 --@o E@r
|
 !@o E@r
|
 -@o E@r
)

@script:python@
o << r_pre.o;
r << r_pre.r;
@@
place("pre", operator=o, right=r)

// ---- operands ----

@r_literal@
constant C;
position p;
@@
 C@p

@script:python@
p << r_literal.p;
@@
place("constant", text=p)

@r_name@
idexpression x;
position p;
@@
 x@p

@script:python@
p << r_name.p;
@@
place("name", text=p)

@r_argument@
expression f, E;
position n, p;
@@
 f@n(..., E@p, ...)

@script:python@
n << r_argument.n;
p << r_argument.p;
@@
place("argument", callee=n, text=p)

@r_member@
expression E;
identifier m;
position l, p;
@@
(
 E@l->m@p
|
 E@l.m@p
)

@script:python@
p << r_member.p;
l << r_member.l;
@@
place("member", left=l, text=p)

// ---- calls and statements ----

@r_call@
expression f;
expression list es;
position n, e;
@@
 f@n(es)@e

@script:python@
n << r_call.n;
e << r_call.e;
@@
place("call", callee=n, end=e)

@r_statement@
expression f;
expression list es;
position n, e;
@@
 f@n(es);@e

@script:python@
n << r_statement.n;
e << r_statement.e;
@@
place("statement", callee=n, end=e)

@r_check@
expression E;
statement S;
position c, s;
@@
 if (E@c) S@s

@script:python@
c << r_check.c;
s << r_check.s;
@@
place("check", condition=c, body=s)

"""Programs drawn at random, which every target must agree on: ``python -m tests.fuzz --count 100 --seed 0``.

- :mod:`.program` and what it is made of (:mod:`.expressions`, :mod:`.statements`, :mod:`.functions`) write the Python
  text of a well-typed kernel with a launch: a :class:`.case.Case`. A new feature of the language is one more
  production: a method there, named in the table of its class.
- :mod:`.run` runs a case on the interpreter, which is the judge, and on devices, and compares.
- :mod:`.shrink` makes a failing case small.
- :mod:`.breaker` and :mod:`.launches` break well-typed cases: nothing but our own errors may come out.
"""

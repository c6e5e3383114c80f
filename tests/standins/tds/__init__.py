"""A stand-in of SQL Server for tests: TDS 7.4 over TCP, in standard-library Python.

It is a strict peer: what it does not understand it refuses, in SQL Server's words where the client may be told, and notes
as a problem. It holds one view (store), understands the SQL a reader of that view needs (sql, evaluate, query), and does
harm at an exact row or byte when told to (faults). Tests drive it from outside through lib/tds.py, never by what the
client sends.

    wire      packets, TLS inside them, messages in and out
    values    SQL Server's types: how they are declared, sent, read and written as literals
    tokens    the tokens answers are made of
    login     PRELOGIN and LOGIN7
    sql       text to statements      evaluate  expressions to functions     query   statements to results
    store     tables: rows in key order, their encoded form, indexes, changes
    faults    what goes wrong, when
    session   one connection          server    listeners, and the commands that drive it all
"""

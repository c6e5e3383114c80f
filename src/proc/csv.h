/*
 * csv: one record of RFC 4180 out of contiguous bytes. Pure: no memory, no files.
 *
 * Lines end in LF or CRLF. A quote inside a field that does not begin with one is an ordinary character. What is
 * broken costs one line: a record whose quoting is wrong, or which never ends, is given as its first physical line
 * only, so the lines that a stray quote would have swallowed are read as records of their own.
 */
#ifndef PROC_CSV_H
#define PROC_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define CSV_MAX_FIELDS       256
#define CSV_MAX_RECORD_BYTES 65536

enum csv_status {
    CSV_RECORD, /* fields are set */
    CSV_BROKEN, /* `reason` is set */
    CSV_MORE,   /* the record does not end in these bytes: give more, from the same start */
    CSV_END     /* no bytes left */
};

struct csv_record {
    struct str raw;       /* without its line end */
    size_t bytes;         /* with its line end: where the next record begins */
    unsigned lines;       /* physical lines it took */
    bool cut;             /* CSV_BROKEN without a line end in sight: drop bytes up to and with the next LF */
    const char *reason;   /* static */
    unsigned field_count; /* those past CSV_MAX_FIELDS are counted, not kept */
    struct str fields[CSV_MAX_FIELDS]; /* without enclosing quotes, inner quotes still doubled */
    bool doubled[CSV_MAX_FIELDS];      /* the field holds doubled quotes */
};

/* The record at the start of data[0..n); `last`: nothing follows these bytes. */
enum csv_status csv_parse(struct csv_record *r, const char *data, size_t n, bool last);
/* Makes it the broken record that is the first physical line of data[0..n), n > 0. Answers CSV_BROKEN. */
enum csv_status csv_break(struct csv_record *r, const char *data, size_t n, bool last, const char *reason);
/* Halves doubled quotes in place; the new length. */
size_t csv_undouble(char *text, size_t n);

#endif

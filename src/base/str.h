/*
 * str: byte slices and strict conversions.
 *
 * A slice never owns its bytes and need not end in NUL. Every conversion
 * takes the whole slice or fails: no leading blanks, no trailing rubbish,
 * no silent overflow.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p;
    size_t len;
};

#define STR_LIT(s) ((struct str){ (s), sizeof(s) - 1 })
#define STR_NONE   ((struct str){ NULL, 0 })

struct str str_from(const char *cstr); /* NULL gives the empty slice */
bool str_eq(struct str a, struct str b);
bool str_eq_lit(struct str a, const char *cstr);
bool str_ieq(struct str a, const char *cstr); /* ASCII case folded */
bool str_starts(struct str s, const char *prefix);
struct str str_trim(struct str s); /* blanks and tabs at both ends */

/* Takes the next piece of *rest up to `sep` (or its end); false when *rest is used up. "a," has two pieces, "" one,
 * STR_NONE none. */
bool str_split(struct str *rest, char sep, struct str *piece);

/* Copies at most size-1 bytes and a NUL; false if it had to cut. `dst` is always terminated. */
bool str_copy(char *dst, size_t size, struct str src);

/* Equal in a time that depends on the lengths only. */
bool str_eq_secret(struct str a, struct str b);

bool str_to_i64(struct str s, int64_t *out);   /* [-+]?digits */
bool str_to_u64(struct str s, uint64_t *out);  /* digits only */
bool str_to_double(struct str s, double *out); /* finite decimal of < 128 bytes, C locale */
bool str_to_bool(struct str s, bool *out);     /* true/false yes/no on/off 1/0, any case */
/* Decimal text to hundredths, half to even, e.g. "-12.345" to -1234; no exponent; false on rubbish or |value|
 * > 9.2e16. */
bool str_to_cents(struct str s, int64_t *out);

/* 0 to 15; -1: no hexadecimal digit. */
int str_hex_value(char c);
/* The next byte of *s, 0 to 255, which it takes off, %XX decoded; -1 on a bad escape. s must not be empty. */
int str_take_percent(struct str *s);
/* %XX in bytes, and a NUL at the end; false on a bad escape, a NUL inside (%00), or a dst too small. */
bool str_percent_decode(char *dst, size_t size, struct str s);
/* hex must hold 2*n+1 bytes. */
void str_hex(char *hex, const uint8_t *bytes, size_t n);
/* base64url without padding. Encode: dst must hold (n*4+2)/3+1 bytes; returns its length.
 * Decode: returns the number of bytes, or -1 on a wrong character, length or a too small dst; only what encode
 * writes is accepted (the unused bits at the end are 0). */
size_t str_base64url(char *dst, const uint8_t *bytes, size_t n);
long str_base64url_decode(uint8_t *dst, size_t size, struct str s);

#endif

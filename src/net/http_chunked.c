/*
 * http_chunked: the chunked transfer coding, decoded in place, a byte at a
 * time for the framing and a piece at a time for the data.
 *
 * Nothing is forgiven: sizes are hex digits alone (at most 15, so that no sum
 * overflows), every line ends in CRLF, extensions and trailers are well formed, bounded and dropped.
 */
#include <string.h>

#include "net/http_parse.h"

#define MAX_SIZE_DIGITS     15
#define MAX_EXTENSION_BYTES 4096 /* of a whole body: they cost the reader and serve nobody */

enum chunked_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START, /* of a line: a name or the last CRLF */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    CHUNKED_LF, /* the very last byte */
    CHUNKED_END,
    CHUNKED_BAD
};

void http_chunked_init(struct http_chunked *c)
{
    *c = (struct http_chunked){ .state = CHUNK_SIZE };
}

static bool is_text(char ch)
{
    return ch == '\t' || ((uint8_t)ch >= 0x20 && ch != 0x7f);
}

static bool is_name(char ch)
{
    return (uint8_t)ch > 0x20 && (uint8_t)ch < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", ch) == NULL;
}

static enum chunked_state after_size_byte(struct http_chunked *c, char ch)
{
    int digit = str_hex_value(ch);

    if (digit >= 0) {
        if (c->digits == MAX_SIZE_DIGITS)
            return CHUNKED_BAD;
        c->digits++;
        c->left = c->left << 4 | (uint64_t)digit;
        return CHUNK_SIZE;
    }
    if (c->digits == 0)
        return CHUNKED_BAD;
    return ch == '\r' ? CHUNK_SIZE_LF : ch == ';' ? CHUNK_EXTENSION : CHUNKED_BAD;
}

static enum chunked_state after_extension_byte(struct http_chunked *c, char ch)
{
    if (ch == '\r')
        return CHUNK_SIZE_LF;
    if (!is_text(ch) || c->extension_bytes == MAX_EXTENSION_BYTES)
        return CHUNKED_BAD;
    c->extension_bytes++;
    return CHUNK_EXTENSION;
}

static enum chunked_state after_size_line(struct http_chunked *c, char ch)
{
    if (ch != '\n')
        return CHUNKED_BAD;
    c->digits = 0;
    return c->left > 0 ? CHUNK_DATA : TRAILER_START;
}

static enum chunked_state after_trailer_byte(struct http_chunked *c, char ch)
{
    if (c->state == TRAILER_START && ch == '\r')
        return CHUNKED_LF;
    if (++c->trailer_bytes > HTTP_MAX_TRAILER_BYTES)
        return CHUNKED_BAD;
    if (c->state == TRAILER_VALUE)
        return ch == '\r' ? TRAILER_LF : is_text(ch) ? TRAILER_VALUE : CHUNKED_BAD;
    if (c->state == TRAILER_NAME && ch == ':')
        return TRAILER_VALUE;
    return is_name(ch) ? TRAILER_NAME : CHUNKED_BAD;
}

/* One byte of framing. */
static enum chunked_state after_byte(struct http_chunked *c, char ch)
{
    switch ((enum chunked_state)c->state) {
    case CHUNK_SIZE:
        return after_size_byte(c, ch);
    case CHUNK_EXTENSION:
        return after_extension_byte(c, ch);
    case CHUNK_SIZE_LF:
        return after_size_line(c, ch);
    case CHUNK_DATA_CR:
        return ch == '\r' ? CHUNK_DATA_LF : CHUNKED_BAD;
    case CHUNK_DATA_LF:
        return ch == '\n' ? CHUNK_SIZE : CHUNKED_BAD;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return after_trailer_byte(c, ch);
    case TRAILER_LF:
        return ch == '\n' ? TRAILER_START : CHUNKED_BAD;
    case CHUNKED_LF:
        return ch == '\n' ? CHUNKED_END : CHUNKED_BAD;
    case CHUNK_DATA:
    case CHUNKED_END:
    case CHUNKED_BAD:
        break;
    }
    return CHUNKED_BAD;
}

int http_chunked_feed(struct http_chunked *c, char *data, size_t n, size_t *used, size_t *decoded)
{
    size_t in = 0, out = 0;

    while (in < n && c->state != CHUNKED_END && c->state != CHUNKED_BAD) {
        if (c->state == CHUNK_DATA) {
            size_t piece = n - in < c->left ? n - in : (size_t)c->left;

            memmove(data + out, data + in, piece);
            in += piece;
            out += piece;
            c->left -= piece;
            if (c->left == 0)
                c->state = CHUNK_DATA_CR;
        } else {
            c->state = (uint8_t)after_byte(c, data[in++]);
        }
    }
    *used = in;
    *decoded = out;
    return c->state == CHUNKED_END ? 0 : c->state == CHUNKED_BAD ? 400 : HTTP_PARSE_MORE;
}

/*
 * gzip: see the header.
 */
#include "api/gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"

#define LEVEL     1         /* the fastest: the loop waits for it */
#define WINDOW    (15 + 16) /* the largest; 16: with gzip's header */
#define MEM_LEVEL 8

/* ---- Accept-Encoding ---- */

/* "0.5" in thousandths; -1: no quality. */
static int parse_quality(struct str s)
{
    int value, digits = 100;

    if (s.len == 0 || s.len > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.len > 1 && s.p[1] != '.'))
        return -1;
    value = (s.p[0] - '0') * 1000;
    for (size_t i = 2; i < s.len; i++, digits /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        value += (s.p[i] - '0') * digits;
    }
    return value <= 1000 ? value : -1;
}

/* Of one entry, "gzip;q=0.5"; one that can't be read is not wanted. */
static int quality_of(struct str parameters)
{
    struct str piece;
    int quality = 1000;

    while (str_split(&parameters, ';', &piece)) {
        piece = str_trim(piece);
        if (str_starts(piece, "q=") || str_starts(piece, "Q="))
            quality = parse_quality((struct str){ piece.p + 2, piece.len - 2 });
    }
    return quality > 0 ? quality : 0;
}

bool gzip_accepted(struct str accept_encoding)
{
    struct str rest = accept_encoding, entry, coding;
    int gzip = -1, any = -1, identity = 0;

    while (str_split(&rest, ',', &entry)) {
        int quality;

        if (!str_split(&entry, ';', &coding))
            continue;
        coding = str_trim(coding);
        quality = quality_of(entry);
        if (str_ieq(coding, "gzip") || str_ieq(coding, "x-gzip"))
            gzip = quality;
        else if (str_ieq(coding, "identity"))
            identity = quality;
        else if (str_eq_lit(coding, "*"))
            any = quality;
    }
    if (gzip < 0)
        gzip = any;
    return gzip > 0 && gzip >= identity;
}

/* ---- compressing ---- */

struct gzip {
    z_stream stream;
    struct buf out;
    bool ready;
};

struct gzip *gzip_new(size_t max_bytes)
{
    struct gzip *g = calloc(1, sizeof(*g));

    if (g != NULL)
        buf_init(&g->out, max_bytes);
    return g;
}

void gzip_free(struct gzip *g)
{
    if (g == NULL)
        return;
    if (g->ready)
        (void)deflateEnd(&g->stream);
    buf_free(&g->out);
    free(g);
}

/* The state takes a quarter of a megabyte: it is made for the first client that wants it. */
static bool get_ready(struct gzip *g)
{
    if (g->ready)
        return deflateReset(&g->stream) == Z_OK;
    g->ready = deflateInit2(&g->stream, LEVEL, Z_DEFLATED, WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return g->ready;
}

struct str gzip_body(struct gzip *g, struct str body)
{
    buf_reset(&g->out);
    if (body.len > UINT_MAX || !get_ready(g) || !buf_reserve(&g->out, body.len))
        return STR_NONE;
    g->stream.next_in = (Bytef *)(uintptr_t)body.p;
    g->stream.avail_in = (uInt)body.len;
    g->stream.next_out = (Bytef *)g->out.data;
    g->stream.avail_out = (uInt)body.len;
    if (deflate(&g->stream, Z_FINISH) != Z_STREAM_END)
        return STR_NONE;
    g->out.len = body.len - g->stream.avail_out;
    return buf_str(&g->out);
}

void gzip_trim(struct gzip *g, size_t kept_bytes)
{
    if (g->out.cap > kept_bytes)
        buf_free(&g->out);
}

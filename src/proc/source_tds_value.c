#include "proc/source_tds_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"

#define DECIMAL_MOST 64 /* 38 digits, sign, point */

static bool is_whole(int type)
{
    return type == SYBINT1 || type == SYBINT2 || type == SYBINT4 || type == SYBINT8;
}

static bool is_decimal(int type)
{
    return type == SYBDECIMAL || type == SYBNUMERIC;
}

static bool is_money(int type)
{
    return type == SYBMONEY || type == SYBMONEY4;
}

bool tds_value_fits(DBPROCESS *db, int column, enum source_kind kind)
{
    int type = dbcoltype(db, column);
    const DBTYPEINFO *info = dbcoltypeinfo(db, column);

    switch (kind) {
    case SOURCE_BIGINT:
    case SOURCE_INT:
        return is_whole(type) || (is_decimal(type) && info != NULL && info->scale == 0);
    case SOURCE_NUMERIC_18_2:
        return is_decimal(type) || is_money(type) || is_whole(type);
    case SOURCE_DOUBLE:
        return type == SYBFLT8 || type == SYBREAL || is_decimal(type) || is_whole(type);
    case SOURCE_TIMESTAMP:
        return type == SYBMSDATE || type == SYBMSDATETIME2 || type == SYBDATETIME || type == SYBDATETIME4;
    case SOURCE_TEXT:
        return type == SYBCHAR || type == SYBVARCHAR || type == SYBTEXT;
    }
    return false;
}

const char *tds_value_expected(enum source_kind kind)
{
    switch (kind) {
    case SOURCE_BIGINT:
    case SOURCE_INT:
        return "an integer";
    case SOURCE_NUMERIC_18_2:
        return "a decimal or money";
    case SOURCE_DOUBLE:
        return "a float or decimal";
    case SOURCE_TIMESTAMP:
        return "a date, datetime or datetime2";
    case SOURCE_TEXT:
        return "a text";
    }
    return "something else";
}

const char *tds_value_type_name(DBPROCESS *db, int column)
{
    static DBCOL2 info;

    info = (DBCOL2){ .SizeOfStruct = sizeof(info) };
    if (dbtablecolinfo(db, column, (DBCOL *)&info) == SUCCEED && info.ServerTypeDeclaration[0] != '\0')
        return info.ServerTypeDeclaration;
    return dbprtype(dbcoltype(db, column));
}

enum tds_sql_time tds_value_time(DBPROCESS *db, int column)
{
    switch (dbcoltype(db, column)) {
    case SYBMSDATE:
        return TDS_SQL_DATE;
    case SYBDATETIME4:
        return TDS_SQL_SECONDS;
    case SYBDATETIME:
        return TDS_SQL_MILLIS;
    default:
        return TDS_SQL_TICKS;
    }
}

/* A separator and so many digits; answers the place behind them. */
static char *put_digits(char *p, char separator, int v, int digits)
{
    if (separator != '\0')
        *p++ = separator;
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + digits;
}

static void put_time(struct buf *out, DBPROCESS *db, int type, const BYTE *data)
{
    DBDATEREC2 t;
    char text[TDS_SQL_TIME_SIZE], *p = text;

    if (dbanydatecrack(db, &t, type, data) != SUCCEED) {
        buf_add_cstr(out, "?"); /* no time: the row is refused by its check */
        return;
    }
    p = put_digits(p, '\0', t.dateyear, 4);
    p = put_digits(p, '-', t.datemonth + 1, 2);
    p = put_digits(p, '-', t.datedmonth, 2);
    if (type != SYBMSDATE) {
        p = put_digits(p, ' ', t.datehour, 2);
        p = put_digits(p, ':', t.dateminute, 2);
        p = put_digits(p, ':', t.datesecond, 2);
    }
    if (t.datensecond > 0)
        p = put_digits(p, '.', t.datensecond / 100, 7);
    buf_add(out, text, (size_t)(p - text));
}

static void put_decimal(struct buf *out, DBPROCESS *db, int type, const BYTE *data, DBINT len)
{
    char text[DECIMAL_MOST];

    if (dbconvert(db, type, data, len, SYBCHAR, (BYTE *)text, -1) < 0) /* -1: ends in NUL */
        buf_add_char(out, '?');
    else
        buf_add_cstr(out, text);
}

/* Ten-thousandths. */
static void put_money(struct buf *out, int64_t v)
{
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (v < 0)
        buf_add_char(out, '-');
    buf_add_u64(out, magnitude / 10000);
    buf_printf(out, ".%04u", (unsigned)(magnitude % 10000));
}

static void put_real(struct buf *out, float v)
{
    char text[FMT_MAX];

    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)v);
        if (strtof(text, NULL) == v)
            break;
    }
    buf_add_cstr(out, text);
}

static void put_double(struct buf *out, double v)
{
    char text[FMT_MAX];

    buf_add(out, text, fmt_double(text, v));
}

static void put_text(struct buf *out, const char *p, size_t n)
{
    const char *nul;

    while ((nul = memchr(p, '\0', n)) != NULL) {
        buf_add(out, p, (size_t)(nul - p));
        n -= (size_t)(nul + 1 - p);
        p = nul + 1;
    }
    buf_add(out, p, n);
}

/* A copy: db-lib's data need not lie where the processor likes them. */
union number {
    uint8_t u8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    DBMONEY money;
};

bool tds_value_put(struct buf *out, DBPROCESS *db, int column)
{
    const BYTE *data = dbdata(db, column);
    DBINT len = dbdatlen(db, column);
    int type = dbcoltype(db, column);
    union number v = { .i64 = 0 };

    if (data == NULL || len < 0)
        return false;
    memcpy(&v, data, (size_t)len < sizeof(v) ? (size_t)len : sizeof(v));
    switch (type) {
    case SYBINT1:
        buf_add_u64(out, v.u8);
        break;
    case SYBINT2:
        buf_add_i64(out, v.i16);
        break;
    case SYBINT4:
        buf_add_i64(out, v.i32);
        break;
    case SYBINT8:
        buf_add_i64(out, v.i64);
        break;
    case SYBMONEY4:
        put_money(out, v.i32);
        break;
    case SYBMONEY:
        put_money(out, (int64_t)((uint64_t)(uint32_t)v.money.mnyhigh << 32 | v.money.mnylow));
        break;
    case SYBREAL:
        put_real(out, v.f32);
        break;
    case SYBFLT8:
        put_double(out, v.f64);
        break;
    case SYBDECIMAL:
    case SYBNUMERIC:
        put_decimal(out, db, type, data, len);
        break;
    case SYBMSDATE:
    case SYBMSDATETIME2:
    case SYBDATETIME:
    case SYBDATETIME4:
        put_time(out, db, type, data);
        break;
    default:
        put_text(out, (const char *)data, (size_t)len);
    }
    return true;
}

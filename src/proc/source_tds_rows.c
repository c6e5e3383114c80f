#include "proc/source_tds_rows.h"

#include <stdlib.h>

#include "proc/source_tds_value.h"

#define FIRST_ROOM 512

void tds_rows_init(struct tds_rows *rows)
{
    *rows = (struct tds_rows){ .count = 0 };
    buf_init(&rows->text, TDS_ROWS_TEXT_BYTES);
}

void tds_rows_free(struct tds_rows *rows)
{
    buf_free(&rows->text);
    free(rows->cells);
}

void tds_rows_clear(struct tds_rows *rows)
{
    buf_reset(&rows->text);
    rows->count = rows->given = 0;
}

static bool make_room(struct tds_rows *rows)
{
    if (rows->count < rows->room)
        return true;
    size_t room = rows->room > 0 ? rows->room * 2 : FIRST_ROOM;
    struct tds_cell *grown = reallocarray(rows->cells, room, SOURCE_COLUMNS * sizeof(*grown));
    if (grown == NULL)
        return false;
    rows->cells = grown;
    rows->room = room;
    return true;
}

bool tds_rows_take(struct tds_rows *rows, DBPROCESS *db)
{
    if (!make_room(rows))
        return false;
    struct tds_cell *cells = rows->cells + rows->count * SOURCE_COLUMNS;
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        size_t at = rows->text.len;
        bool present = tds_value_put(&rows->text, db, i + 1);
        cells[i] = (struct tds_cell){ (uint32_t)at, present ? (uint32_t)(rows->text.len - at) : TDS_CELL_NULL };
    }
    rows->count++;
    return !rows->text.failed;
}

struct str tds_rows_value(const struct tds_rows *rows, size_t row, enum source_column column)
{
    struct tds_cell cell = rows->cells[row * SOURCE_COLUMNS + column];

    if (cell.len == TDS_CELL_NULL)
        return STR_NONE;
    return cell.len == 0 ? STR_LIT("") : (struct str){ rows->text.data + cell.at, cell.len };
}

bool tds_rows_key(const struct tds_rows *rows, size_t row, struct tds_sql_key *key)
{
    struct str order_id = tds_rows_value(rows, row, SOURCE_ORDER_ID);
    struct str order_date = tds_rows_value(rows, row, SOURCE_ORDER_DATE);

    key->set = source_day(order_date, &key->day) && str_copy(key->order_date, sizeof(key->order_date), order_date) &&
               order_id.p != NULL && str_to_i64(order_id, &key->order_id);
    return key->set;
}

size_t tds_rows_give(struct tds_rows *rows, struct source_row *dst, size_t max)
{
    size_t n = rows->count - rows->given < max ? rows->count - rows->given : max;

    for (size_t r = 0; r < n; r++) {
        dst[r] = (struct source_row){ .line_number = 0 };
        for (int i = 0; i < SOURCE_COLUMNS; i++)
            dst[r].values[i] = tds_rows_value(rows, rows->given + r, (enum source_column)i);
    }
    rows->given += n;
    return n;
}

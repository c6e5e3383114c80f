#include "proc/source_tds_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "proc/source_tds_value.h"

static int find_source_column(const char *name)
{
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (str_ieq(str_from(name), source_columns[i].name))
            return i;
    return -1;
}

static bool check_type(struct tds_schema *schema, DBPROCESS *db, int column, int source_column)
{
    const struct source_column_info *info = &source_columns[source_column];

    if (tds_value_fits(db, column, info->kind))
        return true;
    snprintf(schema->wrong, sizeof(schema->wrong), "its column %s is %.60s, expected %s", info->name,
             tds_value_type_name(db, column), tds_value_expected(info->kind));
    return false;
}

/* Lists a few of them. */
static void add_unknown(struct tds_schema *schema, const char *name)
{
    size_t n = strlen(schema->unknown);

    if (n + 70 < sizeof(schema->unknown))
        snprintf(schema->unknown + n, sizeof(schema->unknown) - n, "%s%.64s", n > 0 ? ", " : "", name);
}

static void list_missing(struct tds_schema *schema, const struct tds_sql_view *view)
{
    size_t n = 0;

    for (int i = 0; i < SOURCE_COLUMNS && n < sizeof(schema->wrong) - 40; i++)
        if (view->columns[i][0] == '\0')
            n += (size_t)snprintf(schema->wrong + n, sizeof(schema->wrong) - n, "%s%s",
                                  n == 0 ? "it has no column " : ", ", source_columns[i].name);
}

void tds_schema_read(struct tds_schema *schema, struct tds_sql_view *view, DBPROCESS *db)
{
    *schema = (struct tds_schema){ .wrong = "" };
    memset(view->columns, 0, sizeof(view->columns));
    for (int column = 1; column <= dbnumcols(db) && schema->wrong[0] == '\0'; column++) {
        const char *name = dbcolname(db, column);
        int i = name != NULL ? find_source_column(name) : -1;
        if (i < 0) {
            add_unknown(schema, name != NULL ? name : "(no name)");
            continue;
        }
        str_copy(view->columns[i], sizeof(view->columns[i]), str_from(name));
        if (check_type(schema, db, column, i) && i == SOURCE_ORDER_DATE)
            view->order_date = tds_value_time(db, column);
    }
    if (schema->wrong[0] == '\0')
        list_missing(schema, view);
}

bool tds_schema_page_fits(struct tds_schema *schema, DBPROCESS *db)
{
    schema->wrong[0] = '\0';
    if (dbnumcols(db) != SOURCE_COLUMNS) {
        snprintf(schema->wrong, sizeof(schema->wrong), "%d columns instead of %d", dbnumcols(db), SOURCE_COLUMNS);
        return false;
    }
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (!check_type(schema, db, i + 1, i))
            return false;
    return true;
}

/*
 * sync_score_dims: the tables that describe groups: dim_archetype_l1 and _l2, axis_words, segment_history.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "core/json.h"
#include "proc/sync_score_parts.h"

#define BATCH_BYTES   262144
#define STRONG        0.7
#define STATEMENT_MAX 65536

static void put_json_column(struct buf *out, struct buf *json)
{
    sync_db_copy_escape(out, buf_str(json));
    buf_add_char(out, '\t');
    buf_reset(json);
}

/* {"axis": "word", …} of all axes. */
static void describe_words(struct buf *json, const uint8_t words[AXIS_COUNT])
{
    struct json_writer w;

    json_writer_init(&w, json);
    json_object_begin(&w);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
        json_kv_cstr(&w, axes_vocab[axis].name, axes_vocab_word(axis, words[axis]));
    json_object_end(&w);
}

/* {"axis": "strong", …}: the members' mean membership of their word; "insufficient" is weak. */
static void describe_strengths(struct buf *json, const struct score_group *g, const uint8_t words[AXIS_COUNT])
{
    struct json_writer w;

    json_writer_init(&w, json);
    json_object_begin(&w);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        bool strong = g->share[axis] > STRONG * g->members;
        struct axes_position certain = { .low = words[axis], .high = words[axis], .weight = AXES_MEMBERSHIP_UNIT };
        json_kv_cstr(&w, axes_vocab[axis].name, strong ? axes_strength((enum axis_id)axis, certain) : "balanced");
    }
    json_object_end(&w);
}

/* {"axis:word",…}: words that at least half of the members have. */
static void put_traits(struct buf *out, const struct score_group *g, const uint8_t words[AXIS_COUNT])
{
    bool first = true;

    buf_add_char(out, '{');
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        if (2 * (uint64_t)g->with_word[axis][words[axis]] < g->members)
            continue;
        buf_printf(out, "%s%s:%s", first ? "" : ",", axes_vocab[axis].name, axes_vocab_word(axis, words[axis]));
        first = false;
    }
    buf_add_cstr(out, "}\t");
}

static void put_group(struct buf *out, struct buf *json, const struct scoring *s, const struct score_group *g)
{
    char id[ARCHETYPE_ID_SIZE], sentence[ARCHETYPE_SENTENCE_SIZE];
    uint8_t words[AXIS_COUNT];
    double n = g->members;

    sync_score_group_words(g, words);
    buf_printf(out, "%s\t", archetype_format_id(id, g->id));
    describe_words(json, words);
    put_json_column(out, json);
    describe_strengths(json, g, words);
    put_json_column(out, json);
    sync_db_copy_escape(out, str_from(archetype_describe(sentence, words)));
    buf_add_char(out, '\t');
    put_traits(out, g, words);
    buf_printf(out, "%u\t%.17g\t%.17g\t%.17g\n", g->members, 100 * n / (double)s->count,
               (double)g->net_cents / 100 / n, g->orders_per_month / n);
}

/* The groups into the temporary table archetypes_now. */
static enum sync_db_status copy_groups(struct scoring *s, const struct score_groups *g)
{
    static const char what[] = "writing the archetypes";
    struct buf batch, json;
    enum sync_db_status st = sync_db_exec(
        s->db, what,
        "CREATE TEMP TABLE IF NOT EXISTS archetypes_now (archetype_id varchar(50), dominant_segments jsonb,"
        " membership_strengths jsonb, description text, behavioral_traits varchar[], member_count int,"
        " population_percentage float, avg_lifetime_value float, avg_order_frequency float)"
        " ON COMMIT DROP; TRUNCATE archetypes_now; COPY archetypes_now FROM STDIN");

    buf_init(&batch, 4 * BATCH_BYTES);
    buf_init(&json, 4096);
    for (size_t i = 0; i < g->count && st == SYNC_DB_OK; i++) {
        put_group(&batch, &json, s, &g->group[i]);
        if (batch.failed || json.failed)
            st = sync_score_no_memory(s, what);
        else if (batch.len > BATCH_BYTES || i + 1 == g->count) {
            st = sync_db_copy_put(s->db, what, batch.data, batch.len);
            buf_reset(&batch);
        }
    }
    if (st == SYNC_DB_OK)
        st = sync_db_copy_end(s->db, what, NULL);
    buf_free(&batch);
    buf_free(&json);
    return st;
}

enum sync_db_status sync_score_write_archetypes(struct scoring *s, const struct score_groups *g)
{
    const char *table = g->level == ARCHETYPE_L2 ? "dim_archetype_l2" : "dim_archetype_l1";
    const char *strengths = g->level == ARCHETYPE_L2 ? ", membership_strengths" : "";
    char sql[1600];
    const char *values[] = { s->conf->store_id };
    enum sync_db_status st = copy_groups(s, g);

    if (st != SYNC_DB_OK)
        return st;
    snprintf(sql, sizeof(sql),
             "DELETE FROM %s d WHERE NOT EXISTS (SELECT FROM archetypes_now n WHERE n.archetype_id = d.archetype_id)",
             table);
    st = sync_db_exec(s->db, "removing archetypes without members", sql);
    if (st != SYNC_DB_OK)
        return st;
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO %s (archetype_id, store_id, dominant_segments%s, description, behavioral_traits, member_count,"
        " population_percentage, avg_lifetime_value, avg_order_frequency, last_calculated)"
        " SELECT archetype_id, $1, dominant_segments%s, description, behavioral_traits, member_count,"
        " population_percentage, avg_lifetime_value, avg_order_frequency, now() FROM archetypes_now"
        " ON CONFLICT (archetype_id) DO UPDATE SET store_id = excluded.store_id,"
        " dominant_segments = excluded.dominant_segments, description = excluded.description,"
        " behavioral_traits = excluded.behavioral_traits, member_count = excluded.member_count,"
        " population_percentage = excluded.population_percentage,"
        " avg_lifetime_value = excluded.avg_lifetime_value,"
        " avg_order_frequency = excluded.avg_order_frequency, last_calculated = now(), updated_at = now()%s",
        table, strengths, strengths,
        g->level == ARCHETYPE_L2 ? ", membership_strengths = excluded.membership_strengths" : "");
    return sync_db_query(s->db, "writing the archetypes", sql, values, 1, NULL);
}

enum sync_db_status sync_score_write_segments(struct scoring *s, const uint32_t members[AXIS_COUNT][AXES_MAX_WORDS])
{
    char day[CLOCK_DAY_SIZE];
    struct buf sql;

    clock_format_day(day, s->as_of_day);
    buf_init(&sql, STATEMENT_MAX);
    buf_printf(&sql,
               "DELETE FROM axis_words; DELETE FROM segment_history WHERE day = '%s';"
               "CREATE TEMP TABLE words_now (axis_number int, word_number int, axis text, word text, members int)"
               " ON COMMIT DROP; INSERT INTO words_now VALUES ",
               day);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
        for (unsigned word = 0; word < axes_vocab[axis].word_count; word++)
            buf_printf(&sql, "%s(%u,%u,'%s','%s',%u)", axis + word > 0 ? "," : "", axis, word, axes_vocab[axis].name,
                       axes_vocab_word(axis, word), members[axis][word]);
    buf_printf(
        &sql,
        ";INSERT INTO axis_words (axis_number, word_number, axis, word) SELECT axis_number, word_number, axis, word "
        "FROM words_now;"
        "INSERT INTO segment_history (day, axis, segment, members) SELECT '%s', axis, word, members FROM words_now",
        day);
    const char *text = buf_cstr(&sql);
    enum sync_db_status st = text != NULL ? sync_db_exec(s->db, "writing segment_history", text)
                                          : sync_score_no_memory(s, "writing segment_history");
    buf_free(&sql);
    return st;
}

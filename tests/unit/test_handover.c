/*
 * handover: what one image writes another reads, whatever either does not know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/handover.h"

static const struct handover sample = {
    .version = "1.2.3",
    .image_fd = 8,
    .next_fd = 9,
    .lock_fd = 3,
    .scoreboard_fd = 11,
    .lifeline = { 6, 7 },
    .listen = { .fds = { 4, 5 }, .count = 2 },
    .workers = 12,
    .deadline_ns = 123456789012345ULL,
    .reload_wanted = true,
};

static void comes_back_as_written(void **state)
{
    struct handover h;
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    handover_write(&sample, &text);
    assert_true(handover_read(buf_str(&text), &h));
    assert_string_equal(h.version, "1.2.3");
    assert_int_equal(h.image_fd, 8);
    assert_int_equal(h.next_fd, 9);
    assert_int_equal(h.lock_fd, 3);
    assert_int_equal(h.scoreboard_fd, 11);
    assert_int_equal(h.lifeline[0], 6);
    assert_int_equal(h.lifeline[1], 7);
    assert_int_equal(h.listen.count, 2);
    assert_int_equal(h.listen.fds[0], 4);
    assert_int_equal(h.listen.fds[1], 5);
    assert_int_equal(h.workers, 12);
    assert_true(h.deadline_ns == sample.deadline_ns);
    assert_true(h.reload_wanted);
    buf_free(&text);
}

#define ALL "image=8\0next=9\0lock=3\0scoreboard=11\0lifeline_read=6\0lifeline_write=7\0"

static void unknown_entries_are_skipped(void **state)
{
    struct handover h;

    (void)state;
    assert_true(handover_read(STR_LIT("moon=full\0" ALL "listen=4\0ADMIN_KEY=k=\0nothing\0\0"), &h));
    assert_int_equal(h.workers, 1);
    assert_int_equal(h.listen.fds[0], 4);
    assert_false(h.reload_wanted);
}

static void what_is_needed_must_be_there(void **state)
{
    struct handover h;

    (void)state;
    assert_false(handover_read(STR_LIT(""), &h));
    assert_int_equal(h.image_fd, -1);
    assert_false(handover_read(STR_LIT(ALL), &h)); /* no socket */
    assert_false(handover_read(STR_LIT("image=8\0next=9\0lock=3\0listen=4\0"), &h));
    assert_int_equal(h.image_fd, 8);
    assert_false(handover_read(STR_LIT(ALL "listen=-1\0"), &h));
    assert_false(handover_read(STR_LIT(ALL "listen=4\0workers=0\0"), &h));
    assert_false(handover_read(STR_LIT(ALL "listen=4\0deadline_ns=soon\0"), &h));
    assert_false(handover_read(STR_LIT(ALL "listen=1\0listen=1\0listen=1\0listen=1\0listen=1\0listen=1\0listen=1\0"
                                           "listen=1\0listen=1\0"),
                               &h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_written),
        cmocka_unit_test(unknown_entries_are_skipped),
        cmocka_unit_test(what_is_needed_must_be_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

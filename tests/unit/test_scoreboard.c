/*
 * scoreboard: what is read was written together, sums never go back, and of several posters one wins.
 *
 * Writers and readers are real processes on a shared mapping; a run is bounded by counts, not by time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/scoreboard.h"

static char dir[] = "/tmp/patrond-sb-XXXXXX";
static struct scoreboard *sb;

static int create(void **state)
{
    (void)state;
    sb = scoreboard_create(dir, "1.2.3");
    return sb != NULL ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    scoreboard_close(sb);
    return 0;
}

/* Runs fn in a child; the pid. */
static pid_t start(int (*fn)(void))
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    assert_true(pid > 0);
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void is_mapped_by_others(void **state)
{
    (void)state;
    struct scoreboard *other = scoreboard_open(dir, false), *again;
    static const uint8_t zero[16];
    struct stat st;
    char path[64], version[SB_TEXT];

    assert_non_null(other);
    assert_true(sb_text_get(&other->version, version));
    assert_string_equal(version, "1.2.3");
    assert_memory_not_equal(other->secret, zero, sizeof(zero));
    atomic_store(&sb->data_version, 7);
    assert_int_equal(atomic_load(&other->data_version), 7);
    snprintf(path, sizeof(path), "%s/scoreboard", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777 & ~0640U, 0);
    assert_true(st.st_blocks * 512 >= (off_t)sizeof(struct scoreboard));
    again = scoreboard_create(dir, "2");
    assert_non_null(again);
    assert_true(sb_text_get(&other->version, version));
    assert_string_equal(version, "1.2.3"); /* the old mapping stays whole */
    scoreboard_close(other);
    scoreboard_close(again);
}

/* A scoreboard of a later version: more in the header, wider slots. */
static void common_part_of_another_layout(void **state)
{
    (void)state;
    const size_t slots_offset = 4096, slot_bytes = 8192, size = slots_offset + 3 * slot_bytes;
    struct scoreboard *made, *other;
    size_t bytes;
    char path[64], *file;
    int fd;

    snprintf(path, sizeof(path), "%s/scoreboard", dir);
    unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(file, MAP_FAILED);
    made = (struct scoreboard *)file;
    made->magic = SB_MAGIC;
    made->layout = SB_LAYOUT + 1;
    made->size_bytes = size;
    made->slots_offset = slots_offset;
    made->slot_bytes = slot_bytes;
    made->slot_count = 3;
    assert_null(scoreboard_open(dir, false));
    assert_int_equal(errno, EPROTO);
    other = scoreboard_map_any(fd, &bytes);
    assert_non_null(other);
    assert_int_equal(bytes, size);
    assert_false(scoreboard_is_own_layout(other));
    atomic_store(&scoreboard_slot(other, 2)->pid, 77);
    atomic_store(&scoreboard_slot(other, 2)->state, SB_READY);
    assert_int_equal(atomic_load(&((struct sb_slot *)(file + slots_offset + 2 * slot_bytes))->pid), 77);
    scoreboard_release_other(scoreboard_slot(other, 2));
    assert_int_equal(atomic_load(&scoreboard_slot(other, 2)->state), SB_FREE);
    made->slot_count = 4; /* past the end of the file */
    assert_null(scoreboard_map_any(fd, &bytes));
    made->slot_count = 3;
    made->slot_bytes = 64; /* too small for what is common */
    assert_null(scoreboard_map_any(fd, &bytes));
    munmap(other, size);
    munmap(file, size);
    close(fd);
}

static void refuse_changed(void (*change)(struct scoreboard *))
{
    struct scoreboard *s = scoreboard_create(dir, "1");

    assert_non_null(s);
    change(s);
    scoreboard_close(s);
    assert_null(scoreboard_open(dir, true));
    assert_int_equal(errno, EPROTO);
}

static void change_magic(struct scoreboard *s)
{
    s->magic++;
}

static void change_layout(struct scoreboard *s)
{
    s->layout++;
}

static void change_slots(struct scoreboard *s)
{
    s->slot_count--;
}

static void change_size(struct scoreboard *s)
{
    s->size_bytes--;
}

static void other_layouts_are_refused(void **state)
{
    (void)state;
    char path[64];

    refuse_changed(change_magic);
    refuse_changed(change_layout);
    refuse_changed(change_slots);
    refuse_changed(change_size);
    snprintf(path, sizeof(path), "%s/scoreboard", dir);
    assert_int_equal(truncate(path, 4096), 0);
    assert_null(scoreboard_open(dir, false));
    assert_int_equal(errno, EPROTO);
    assert_int_equal(unlink(path), 0);
    assert_null(scoreboard_open(dir, false));
    assert_int_equal(errno, ENOENT);
    assert_null(scoreboard_create("/nonexistent", "1"));
}

static void slots_are_assigned_and_released(void **state)
{
    (void)state;
    struct sb_slot *a = scoreboard_assign(sb, SB_ROLE_WORKER, 3, 9), *b;
    unsigned n = 1;

    assert_int_equal(atomic_load(&a->state), SB_ASSIGNED);
    assert_int_equal(atomic_load(&a->index), 3);
    assert_int_equal(atomic_load(&a->generation), 9);
    assert_true(atomic_load(&a->start_ns) > 0 && atomic_load(&a->start_us) > 0);
    atomic_store(&a->connections, 5);
    atomic_store(&a->beat_ns, 5);
    sb_text_set(&a->doing, "GET /x");
    scoreboard_release(sb, a);
    assert_int_equal(atomic_load(&a->state), SB_FREE);
    assert_int_equal(atomic_load(&a->connections), 0);
    b = scoreboard_assign(sb, SB_ROLE_SYNC, 0, 1);
    assert_ptr_equal(a, b);
    assert_int_equal(atomic_load(&b->beat_ns), 0);
    assert_int_equal(b->doing.text[0], '\0');
    while (scoreboard_assign(sb, SB_ROLE_WORKER, 0, 1) != NULL)
        n++;
    assert_int_equal(n, SB_SLOTS);
}

#define RELEASES 4000

static int assign_count_release(void)
{
    for (int i = 0; i < RELEASES; i++) {
        struct sb_slot *slot = scoreboard_assign(sb, SB_ROLE_WORKER, 0, 1);

        for (unsigned c = 0; c < 64; c++)
            atomic_fetch_add(&slot->counters[c], 1);
        scoreboard_release(sb, slot);
    }
    return 0;
}

/* A slot's counters move to `retired` without a reader ever seeing them twice or not at all. */
static void sums_never_go_back(void **state)
{
    (void)state;
    uint64_t last = 0, sum = 0;
    pid_t pid;

    for (unsigned i = 0; i < SB_SLOTS - 1; i++) /* the child gets the slot that is read last */
        assert_non_null(scoreboard_assign(sb, SB_ROLE_WORKER, i, 1));
    pid = start(assign_count_release);
    while (sum < RELEASES) {
        sum = scoreboard_sum(sb, 63);
        if (sum < last)
            fail_msg("%llu after %llu", (unsigned long long)sum, (unsigned long long)last);
        if (sum > RELEASES)
            fail_msg("%llu of %d", (unsigned long long)sum, RELEASES);
        last = sum;
    }
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(scoreboard_sum(sb, 63), RELEASES);
    assert_int_equal(scoreboard_sum(sb, 64), 0);
    assert_int_equal(scoreboard_sum(sb, SB_COUNTERS), 0);
}

#define WRITES 60000

static int write_texts(void)
{
    for (int i = 0; i < WRITES; i++) {
        char c = (char)('a' + i % 26), text[120];

        memset(text, c, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        sb_text_set(&sb->reload_error, "%s", text);
        if (i % 64 == 0)
            sched_yield();
    }
    sb_text_set(&sb->reload_error, "end");
    return 0;
}

static void texts_are_never_torn(void **state)
{
    (void)state;
    pid_t pid = start(write_texts);
    char text[SB_TEXT] = "";
    unsigned whole = 0;

    while (strcmp(text, "end") != 0) {
        if (!sb_text_get(&sb->reload_error, text)) {
            assert_int_equal(text[0], '\0');
            continue;
        }
        if (strcmp(text, "end") != 0 && strspn(text, (char[]){ text[0], '\0' }) != strlen(text))
            fail_msg("torn: %s", text);
        whole++;
    }
    assert_int_equal(status_of(pid), 0);
    assert_true(whole > 0);
}

static void texts_are_printable(void **state)
{
    (void)state;
    char text[SB_TEXT], longer[400];

    sb_text_set(&sb->listen, "a\nb\x1b[31m");
    assert_true(sb_text_get(&sb->listen, text));
    assert_string_equal(text, "a?b?[31m");
    sb_text_set(&sb->listen, "caf\xc3\xa9");
    assert_true(sb_text_get(&sb->listen, text));
    assert_string_equal(text, "caf\xc3\xa9");
    memset(sb->listen.text, 'x', sizeof(sb->listen.text)); /* no end */
    assert_true(sb_text_get(&sb->listen, text));
    assert_int_equal(strlen(text), sizeof(sb->listen.text) - 1);
    sb->listen.text[0] = '\xff';
    assert_true(sb_text_get(&sb->listen, text));
    assert_int_equal(text[0], '?');
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    sb_text_set(&sb->listen, "%s", longer);
    assert_true(sb_text_get(&sb->listen, text));
    assert_int_equal(strlen(text), SB_TEXT - 5);
    assert_string_equal(text + SB_TEXT - 10, "yy...");
    sb_text_set(&sb->listen, "%.*s", SB_TEXT - 5, longer);
    assert_true(sb_text_get(&sb->listen, text));
    assert_string_equal(text + SB_TEXT - 10, "yyyyy");
}

/* A writer killed in mid-write leaves the text unreadable; the next write mends it. */
static void a_dead_writer_is_mended(void **state)
{
    (void)state;
    char text[SB_TEXT];

    sb_text_set(&sb->listen, "one");
    atomic_fetch_add(&sb->listen.seq, 1);
    assert_false(sb_text_get(&sb->listen, text));
    assert_string_equal(text, "");
    sb_text_set(&sb->listen, "two");
    assert_true(sb_text_get(&sb->listen, text));
    assert_string_equal(text, "two");
}

static void fill_sync(struct sb_sync *s, int64_t v)
{
    memset(s, 0, sizeof(*s));
    s->row_count = s->deadline_us = s->run.run_id = s->last_error.data_version = v;
    for (unsigned i = 0; i < SB_RUNS; i++)
        s->runs[i].run_id = s->runs[i].rows_read = v;
}

static int write_syncs(void)
{
    struct sb_sync s;

    for (int64_t v = 1; v <= WRITES / 10; v++) {
        fill_sync(&s, v);
        scoreboard_sync_write(sb, &s);
        if (v % 8 == 0)
            sched_yield();
    }
    fill_sync(&s, -1);
    scoreboard_sync_write(sb, &s);
    return 0;
}

static void sync_status_is_never_torn(void **state)
{
    (void)state;
    pid_t pid = start(write_syncs);
    struct sb_sync s = { 0 }, want;
    unsigned whole = 0;

    while (s.row_count >= 0) {
        if (!scoreboard_sync_read(sb, &s) || s.row_count == 0)
            continue;
        fill_sync(&want, s.row_count);
        assert_memory_equal(&s, &want, sizeof(s));
        whole++;
    }
    assert_int_equal(status_of(pid), 0);
    assert_true(whole > 0);
}

static void garbage_is_put_in_range(void **state)
{
    (void)state;
    struct sb_sync s;

    memset(&s, 0xff, sizeof(s));
    scoreboard_sync_write(sb, &s);
    memset(&s, 0, sizeof(s));
    assert_true(scoreboard_sync_read(sb, &s));
    assert_int_equal(s.run_count, SB_RUNS);
    assert_int_equal(s.running, 1);
    assert_true(sb_phase_name(s.phase)[0] != '\0');
    for (unsigned i = 0; i < SB_RUNS; i++) {
        assert_true(sb_mode_name(s.runs[i].mode)[0] != '\0');
        assert_true(sb_run_status_name(s.runs[i].status)[0] != '\0');
        assert_true(sb_trigger_name(s.runs[i].trigger)[0] != '\0');
        assert_true(memchr(s.runs[i].error, '\0', sizeof(s.runs[i].error)) != NULL);
    }
    assert_string_equal(sb_mode_name(SB_MODE_DRY_RUN), "dry-run");
    assert_string_equal(sb_mode_name(SB_MODE_COUNT), "");
    assert_string_equal(sb_reason_name(UINT32_MAX), "");
    assert_null(sb_error_name(SB_ERROR_NONE));
}

static void checks_keep_their_since(void **state)
{
    (void)state;
    struct sb_check *c = &sb->checks[SB_DATABASE];

    assert_int_equal(atomic_load(&c->latency_us), -1);
    assert_true(scoreboard_check_set(c, SB_HEALTH_UP, SB_ERROR_NONE, 100, 1000));
    assert_false(scoreboard_check_set(c, SB_HEALTH_UP, SB_ERROR_NONE, 120, 2000));
    assert_int_equal(atomic_load(&c->since_us), 1000);
    assert_int_equal(atomic_load(&c->checked_us), 2000);
    assert_true(scoreboard_check_set(c, SB_HEALTH_DOWN, SB_ERROR_REFUSED, -1, 3000));
    assert_int_equal(atomic_load(&c->since_us), 3000);
    assert_int_equal(atomic_load(&c->error), SB_ERROR_REFUSED);
}

static void trouble_is_told_once(void **state)
{
    (void)state;
    assert_false(scoreboard_tell_db_recovered(sb));
    assert_true(scoreboard_tell_db_trouble(sb));
    assert_false(scoreboard_tell_db_trouble(sb)); /* the next process that notices */
    assert_true(scoreboard_tell_db_recovered(sb));
    assert_false(scoreboard_tell_db_recovered(sb));
    assert_true(scoreboard_tell_db_trouble(sb));
    atomic_store(&sb->db_told_ns, clock_mono_ns() - 61 * CLOCK_NS_PER_S);
    assert_true(scoreboard_tell_db_trouble(sb)); /* who told of it may be gone */
}

static void mail_goes_round(void **state)
{
    (void)state;
    const struct sb_mail_request r = { .mode = SB_MODE_FULL, .trigger = SB_BY_CLI, .start_day = 4, .row_limit = 9 };
    struct sb_mail_request taken;
    enum sb_mail_answer answer;
    int64_t run_id;
    uint32_t ticket = scoreboard_mail_post(sb, &r);

    assert_int_equal(scoreboard_mail_state(sb), SB_MAIL_POSTED);
    assert_int_equal(scoreboard_mail_post(sb, &r), 0);
    assert_false(scoreboard_mail_poll(sb, ticket, &answer, &run_id));
    scoreboard_mail_answer(sb, SB_ANSWER_STARTED, 1); /* not taken: nothing to answer */
    assert_int_equal(scoreboard_mail_state(sb), SB_MAIL_POSTED);
    assert_true(scoreboard_mail_take(sb, &taken));
    assert_memory_equal(&taken, &r, sizeof(r));
    assert_false(scoreboard_mail_take(sb, &taken));
    assert_false(scoreboard_mail_poll(sb, ticket, &answer, &run_id));
    scoreboard_mail_answer(sb, SB_ANSWER_ALREADY_RUNNING, 513);
    assert_true(scoreboard_mail_poll(sb, ticket, &answer, &run_id));
    assert_int_equal(answer, SB_ANSWER_ALREADY_RUNNING);
    assert_int_equal(run_id, 513);
    assert_int_equal(scoreboard_mail_state(sb), SB_MAIL_FREE);
    assert_true(scoreboard_mail_post(sb, &r) > ticket);
}

/* The word as it would be if its last change were so many seconds ago. */
static void age_mail(unsigned seconds)
{
    atomic_fetch_sub(&sb->mailbox.word, (uint64_t)seconds << 32);
}

static void abandoned_mail_is_taken_over(void **state)
{
    (void)state;
    struct sb_mail_request r = { .mode = SB_MODE_FULL, .row_limit = 1 }, taken;
    enum sb_mail_answer answer;
    int64_t run_id;
    uint32_t first = scoreboard_mail_post(sb, &r), second;

    age_mail(SB_MAIL_ABANDONED_S - 1);
    assert_int_equal(scoreboard_mail_post(sb, &r), 0);
    age_mail(2 + 1);
    r.row_limit = 2;
    second = scoreboard_mail_post(sb, &r);
    assert_true(second != 0 && second != first);
    assert_true(scoreboard_mail_poll(sb, first, &answer, &run_id));
    assert_int_equal(answer, SB_ANSWER_NONE);
    assert_true(scoreboard_mail_take(sb, &taken));
    assert_int_equal(taken.row_limit, 2);
    age_mail(SB_MAIL_ABANDONED_S + 1); /* its taker died */
    atomic_store(&sb->mailbox.taker_pid, 1);
    scoreboard_mail_answer(sb, SB_ANSWER_STARTED, 5); /* this process does not hold it */
    assert_int_equal(scoreboard_mail_state(sb), SB_MAIL_TAKEN);
    assert_true(scoreboard_mail_post(sb, &r) != 0);
}

static void mail_arguments_are_checked(void **state)
{
    (void)state;
    const struct sb_mail_request bad = { .mode = 77, .trigger = 99, .row_limit = -4 };
    struct sb_mail_request taken;

    assert_true(scoreboard_mail_post(sb, &bad) != 0);
    assert_true(scoreboard_mail_take(sb, &taken));
    assert_int_equal(taken.mode, SB_MODE_DRY_RUN); /* the harmless one */
    assert_true(taken.trigger < SB_TRIGGER_COUNT);
    assert_int_equal(taken.row_limit, 0);
}

#define POSTERS 4
#define POSTS   1500

/* Posts POSTS requests that carry the poster's pid; each must be answered with that same number. */
static int post_and_check(void)
{
    const struct sb_mail_request r = { .mode = SB_MODE_DRY_RUN, .row_limit = getpid() };
    enum sb_mail_answer answer;
    int64_t run_id;

    for (int done = 0; done < POSTS;) {
        uint32_t ticket = scoreboard_mail_post(sb, &r);

        if (ticket == 0) {
            sched_yield();
            continue;
        }
        while (!scoreboard_mail_poll(sb, ticket, &answer, &run_id))
            sched_yield();
        if (answer != SB_ANSWER_STARTED || run_id != getpid())
            return 1;
        done++;
    }
    return 0;
}

static void four_posters_share_the_box(void **state)
{
    (void)state;
    pid_t pids[POSTERS];
    struct sb_mail_request r;

    for (int i = 0; i < POSTERS; i++)
        pids[i] = start(post_and_check);
    for (int taken = 0; taken < POSTERS * POSTS;) {
        if (!scoreboard_mail_take(sb, &r)) {
            sched_yield();
            continue;
        }
        scoreboard_mail_answer(sb, SB_ANSWER_STARTED, r.row_limit);
        taken++;
    }
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(status_of(pids[i]), 0);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char path[64];

    snprintf(path, sizeof(path), "%s/scoreboard", dir);
    (void)unlink(path);
    return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_mapped_by_others),
        TEST(other_layouts_are_refused),
        TEST(common_part_of_another_layout),
        TEST(slots_are_assigned_and_released),
        TEST(sums_never_go_back),
        TEST(texts_are_never_torn),
        TEST(texts_are_printable),
        TEST(a_dead_writer_is_mended),
        TEST(sync_status_is_never_torn),
        TEST(garbage_is_put_in_range),
        TEST(checks_keep_their_since),
        TEST(trouble_is_told_once),
        TEST(mail_goes_round),
        TEST(abandoned_mail_is_taken_over),
        TEST(mail_arguments_are_checked),
        TEST(four_posters_share_the_box),
    };

    alarm(60); /* a lost request must not hang the run */
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

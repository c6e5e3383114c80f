#include "proc/source_tds_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/source_tds_sql.h"
#include "proc/source_tds_target.h"

#define LOGIN_MOST_S 15
#define PACKET_BYTES 16383                 /* the most SQL Server takes under TLS */
#define BEAT_NS      (CLOCK_NS_PER_S / 10) /* however few rows come */
#define POLL_MS      200
#define TLS_DATA     0x17 /* type of a TLS record that carries data */
#define TLS_ALERT    0x15
#define REMARK_MOST  10 /* messages up to this severity are remarks */

struct tds_conn {
    const struct source_env *env;
    struct tds_target server, redirect;
    bool redirect_known; /* `redirect` is where the server sent us last time */
    bool redirect_seen;  /* the error of the login under way named a place, now in `redirect` */
    bool connecting, stopped, characters_lost, told_characters, told_redirect;
    const struct tds_target *asked; /* of the login under way */
    DBPROCESS *db;
    bool encrypted; /* seen on the wire */
    char server_text[TDS_HOST_SIZE + 8];
    struct tds_subject subject;
    struct tds_problem problem;
    uint64_t beat_ns; /* the last one */
};

/* The handlers of db-lib belong to the process, and during a login know no connection. */
static struct tds_conn *current;

const struct tds_problem *tds_conn_problem(const struct tds_conn *c)
{
    return &c->problem;
}

const struct tds_subject *tds_conn_subject(const struct tds_conn *c)
{
    return &c->subject;
}

static void take_problem(struct tds_conn *c, struct tds_problem found, const char *text)
{
    found.connecting = c->connecting;
    str_copy(found.text, sizeof(found.text), str_from(text));
    tds_problem_take(&c->problem, &found);
}

bool tds_conn_refuse(struct tds_conn *c, int32_t number, const char *fmt, ...)
{
    struct tds_problem found = { .number = number };
    char text[sizeof(found.text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    take_problem(c, found, text);
    return false;
}

/* Whatever happened, the call must end: INT_CANCEL. Other answers wait again, or send a cancel that nobody reads. */
static int on_error(DBPROCESS *db, int severity, int number, int os_error, char *text, char *os_text)
{
    struct tds_problem found = { .number = number, .library = true };

    (void)db, (void)severity, (void)os_error, (void)os_text;
    if (current == NULL)
        return INT_CANCEL;
    if (number == SYBEICONVI || number == SYBEICONVIU) {
        current->characters_lost = true;
        return INT_CANCEL;
    }
    if (current->asked != NULL && tds_target_redirected(&current->redirect, str_from(text), current->asked))
        current->redirect_seen = true;
    take_problem(current, found, text);
    return INT_CANCEL;
}

static int on_message(DBPROCESS *db, DBINT number, int state, int severity, char *text, char *server, char *procedure,
                      int line)
{
    struct tds_problem found = { .number = number, .severity = severity, .state = state };

    (void)db, (void)server, (void)procedure, (void)line;
    if (current != NULL && severity > REMARK_MOST)
        take_problem(current, found, text);
    return 0;
}

static bool beat(struct tds_conn *c)
{
    if (!c->stopped && !c->env->beat(c->env->arg))
        c->stopped = true;
    c->beat_ns = clock_mono_ns();
    return !c->stopped;
}

static void note(const struct tds_conn *c, const char *text)
{
    if (c->env->note != NULL)
        c->env->note(c->env->arg, text);
}

/* db-lib asks once a second while it waits for the server. */
static int must_stop(void *db)
{
    (void)db;
    return current != NULL && !beat(current);
}

static int stop_waiting(void *db)
{
    (void)db;
    return INT_CANCEL;
}

/* Each of these could send us elsewhere, or write what we read into a file. */
static void scrub_environment(void)
{
    static const char *const names[] = { "TDSHOST",  "TDSPORT", "TDSVER",  "TDSDUMP",    "TDSDUMPCONFIG",
                                         "TDSQUERY", "DSQUERY", "FREETDS", "FREETDSCONF" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

static bool bad_setting(struct source_error *err, const char *name, const char *value, const char *wrong)
{
    err->reason = SB_REASON_SOURCE_CONNECT;
    snprintf(err->text, sizeof(err->text), "%s: \"%.100s\" %s", name, value, wrong);
    return false;
}

static bool take_settings(struct tds_conn *c, struct source_error *err)
{
    const struct conf *conf = c->env->conf;

    if (!tds_target_parse(&c->server, str_from(conf->azure_sql_server), (uint16_t)conf->azure_sql_port))
        return bad_setting(err, "AZURE_SQL_SERVER", conf->azure_sql_server, "is no host name; expected name[,port]");
    if (!tds_target_ca_file_fits(str_from(conf->azure_sql_ca_file)))
        return bad_setting(err, "AZURE_SQL_CA_FILE", conf->azure_sql_ca_file,
                           "is neither system nor an absolute path without blanks");
    if (strcmp(conf->azure_sql_ca_file, "system") != 0 && access(conf->azure_sql_ca_file, R_OK) != 0)
        return bad_setting(err, "AZURE_SQL_CA_FILE", conf->azure_sql_ca_file, "can't be read");
    snprintf(c->server_text, sizeof(c->server_text), "%s:%u", c->server.host, c->server.port);
    c->subject = (struct tds_subject){ c->server_text, conf->azure_sql_database, conf->azure_sql_username,
                                       conf->azure_sql_view, conf->azure_sql_ca_file };
    return true;
}

struct tds_conn *tds_conn_new(const struct source_env *env, struct source_error *err)
{
    struct tds_conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        *err = (struct source_error){ .reason = SB_REASON_MEMORY, .text = "out of memory to read SQL Server" };
        return NULL;
    }
    c->env = env;
    if (!take_settings(c, err)) {
        free(c);
        return NULL;
    }
    scrub_environment();
    if (dbinit() == FAIL) {
        *err = (struct source_error){ .reason = SB_REASON_MEMORY,
                                      .text = "the client library for SQL Server does not start" };
        free(c);
        return NULL;
    }
    dberrhandle(on_error);
    dbmsghandle(on_message);
    current = c;
    return c;
}

void tds_conn_close(struct tds_conn *c)
{
    if (c->db != NULL)
        dbclose(c->db);
    c->db = NULL;
    c->encrypted = false;
}

void tds_conn_free(struct tds_conn *c)
{
    if (c == NULL)
        return;
    tds_conn_close(c);
    current = NULL;
    dbexit();
    free(c);
}

/* Without a name, so that nothing is left of it whatever happens to us; in memory where the runtime directory is not
 * there (patronctl while the server is down). */
static int open_conf_file(const char *run_dir)
{
    int fd = open(run_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : memfd_create("freetds.conf", MFD_CLOEXEC);
}

/* Once whole it gets its name, in the place of the one before: there an operator finds it, for tsql. */
static void show_conf_file(const char *own_path, const char *run_dir)
{
    char path[512];
    int n = snprintf(path, sizeof(path), "%s/freetds.conf", run_dir);

    if (n >= (int)sizeof(path))
        return;
    (void)unlink(path);
    if (linkat(AT_FDCWD, own_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0)
        return; /* it is in memory, or another process was quicker: nothing depends on the name */
}

/*
 * db-lib reads the file through our descriptor: another process may put its own in the place of ours meanwhile. A
 * file it could not read would silently mean a session without encryption.
 */
static int write_conf(struct tds_conn *c, const struct tds_target *target)
{
    struct buf text = { .max_bytes = 4096 };
    char path[32];
    int fd = open_conf_file(c->env->conf->run_dir);

    tds_target_conf(&text, target, c->env->conf->azure_sql_ca_file);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool written =
        fd >= 0 && !text.failed && write(fd, text.data, text.len) == (ssize_t)text.len && access(path, R_OK) == 0;
    buf_free(&text);
    if (written) {
        show_conf_file(path, c->env->conf->run_dir);
        dbsetifile(path);
        return fd;
    }
    tds_conn_refuse(c, TDS_ERROR_CLIENT, "its configuration can't be written or read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int remaining_s(const struct tds_conn *c, int most)
{
    uint64_t now = clock_mono_ns(), end = c->env->deadline_ns;
    int left = most;

    if (end != 0)
        left = end > now ? (int)((end - now) / CLOCK_NS_PER_S) : 0;
    return left < 1 ? 1 : left < most ? left : most;
}

/* A login may have to be tried twice (redirect), in the time there is and within the watch's patience. */
static int login_timeout_s(const struct tds_conn *c)
{
    int patience = (int)c->env->conf->sync_stall_timeout / 3;
    int most = patience < LOGIN_MOST_S ? patience : LOGIN_MOST_S;
    int half = remaining_s(c, 2 * most) / 2;

    return half > 0 ? half : 1;
}

static int query_timeout_s(const struct tds_conn *c)
{
    return remaining_s(c, (int)c->env->conf->sync_stall_timeout);
}

static LOGINREC *make_login(struct tds_conn *c)
{
    const struct conf *conf = c->env->conf;
    LOGINREC *login = dblogin();

    if (login != NULL && DBSETLUSER(login, conf->azure_sql_username) == SUCCEED &&
        DBSETLPWD(login, conf->azure_sql_password) == SUCCEED &&
        DBSETLDBNAME(login, conf->azure_sql_database) == SUCCEED && DBSETLAPP(login, "patrond") == SUCCEED &&
        DBSETLCHARSET(login, "UTF-8") == SUCCEED && DBSETLPACKET(login, PACKET_BYTES) == SUCCEED &&
        dbsetlversion(login, DBVERSION_74) == SUCCEED)
        return login;
    tds_conn_refuse(c, TDS_ERROR_CLIENT, "it does not take the login's settings (a name or password too long?)");
    if (login != NULL)
        dbloginfree(login);
    return NULL;
}

/* One login at one place. */
static bool log_in(struct tds_conn *c, const struct tds_target *target)
{
    struct tds_target asked = *target;

    c->problem = (struct tds_problem){ 0 };
    int fd = write_conf(c, &asked);
    if (fd < 0)
        return false;
    dbsetlogintime(login_timeout_s(c));
    dbsettime(query_timeout_s(c));
    uint64_t begun = clock_mono_ns();
    LOGINREC *login = make_login(c);
    if (login != NULL) {
        c->asked = &asked;
        c->db = dbopen(login, asked.host);
        c->asked = NULL;
        dbloginfree(login);
    }
    close(fd);
    metrics_observe(METRIC_INTEGRATION_DURATION, METRIC_AZURE_SQL, METRIC_OPERATION_LOGIN, clock_mono_ns() - begun);
    if (c->db == NULL && c->problem.number == 0)
        tds_conn_refuse(c, TDS_ERROR_CLIENT, "no connection, and no reason");
    return c->db != NULL;
}

static void tell_redirect(struct tds_conn *c)
{
    char text[400];

    if (c->told_redirect)
        return;
    c->told_redirect = true;
    snprintf(text, sizeof(text),
             "%.100s sends us to %.120s:%u, and the client library (%s) can't follow: connected there directly; the "
             "server's connection policy Proxy spares the detour",
             c->server_text, c->redirect.host, c->redirect.port, dbversion());
    note(c, text);
}

/*
 * FreeTDS 1.3.16 and 1.3.17 lose their way when the server redirects a login under TLS; but the error that ends their
 * waiting names the place.
 */
static bool follow_redirect(struct tds_conn *c)
{
    struct tds_target place = c->redirect;

    if (!c->redirect_seen || !beat(c) || !log_in(c, &place))
        return false;
    c->redirect = place;
    c->redirect_known = true;
    tell_redirect(c);
    return true;
}

static bool connect_somewhere(struct tds_conn *c)
{
    bool known = c->redirect_known;

    c->redirect_known = c->redirect_seen = false;
    if (known && log_in(c, &c->redirect)) {
        c->redirect_known = true;
        return true;
    }
    c->redirect_seen = false;
    return beat(c) && (log_in(c, &c->server) || follow_redirect(c));
}

static enum tds_outcome outcome_of_failure(struct tds_conn *c)
{
    tds_conn_close(c);
    return c->stopped ? TDS_STOPPED : TDS_FAILED;
}

/*
 * `encryption = require` still accepts a server that encrypts the login and goes on in clear text. The first byte of
 * its first answer tells. False: clear text, or stopped.
 */
static bool prove_encryption(struct tds_conn *c)
{
    struct pollfd p = { .fd = dbiordesc(c->db), .events = POLLIN };
    uint64_t end = clock_mono_ns() + (unsigned)query_timeout_s(c) * CLOCK_NS_PER_S;
    unsigned char type;

    if (c->encrypted)
        return true;
    while (poll(&p, 1, POLL_MS) == 0) {
        if (!beat(c))
            return false;
        if (clock_mono_ns() >= end) {
            take_problem(c, (struct tds_problem){ .number = SYBETIME, .library = true }, "no answer");
            return false;
        }
    }
    if (recv(p.fd, &type, 1, MSG_PEEK | MSG_DONTWAIT) != 1 || type == TLS_ALERT)
        return true; /* the connection has ended: what reads next finds that out */
    c->encrypted = type == TLS_DATA;
    return c->encrypted || tds_conn_refuse(c, TDS_ERROR_DOWNGRADE, "clear text");
}

static bool read_rows(struct tds_conn *c, const struct tds_reader *reader)
{
    DBINT rows = 0;
    STATUS s;

    while ((s = dbnextrow(c->db)) == REG_ROW) {
        if (reader->row == NULL || !reader->row(reader->arg, c->db))
            return reader->row != NULL || tds_conn_refuse(c, TDS_ERROR_DISORDER, "there should be none");
        rows++;
        if (clock_mono_ns() - c->beat_ns >= BEAT_NS && !beat(c))
            return false;
    }
    if (s != NO_MORE_ROWS || c->problem.number != 0 || dbdead(c->db) || dbcount(c->db) != rows)
        return tds_conn_refuse(c, TDS_ERROR_INCOMPLETE, "%d rows read, %d counted", (int)rows, (int)dbcount(c->db));
    return true;
}

static bool read_results(struct tds_conn *c, const struct tds_reader *reader)
{
    bool seen = false;
    RETCODE r;

    while ((r = dbresults(c->db)) == SUCCEED) {
        if (dbnumcols(c->db) == 0)
            continue;
        if (seen || reader == NULL)
            return tds_conn_refuse(c, TDS_ERROR_DISORDER, "one result too many");
        seen = true;
        if (!reader->columns(reader->arg, c->db) || !read_rows(c, reader))
            return false;
    }
    if (r != NO_MORE_RESULTS || seen != (reader != NULL) || c->problem.number != 0 || dbdead(c->db))
        return tds_conn_refuse(c, TDS_ERROR_INCOMPLETE, "no complete result");
    return true;
}

static void tell_characters(struct tds_conn *c)
{
    if (!c->characters_lost || c->told_characters)
        return;
    c->told_characters = true;
    note(c, "the source holds characters that are no valid text; they are stored as question marks");
}

/* One statement on the open connection; without a reader it has no result. */
static enum tds_outcome run(struct tds_conn *c, const char *sql, const struct tds_reader *reader)
{
    c->problem = (struct tds_problem){ 0 };
    if (dbcmd(c->db, sql) == SUCCEED && dbsqlsend(c->db) == SUCCEED && prove_encryption(c) &&
        dbsqlok(c->db) == SUCCEED && read_results(c, reader))
        return TDS_DONE;
    if (!c->stopped)
        tds_conn_refuse(c, TDS_ERROR_INCOMPLETE, "no answer"); /* an RST comes without any word */
    return outcome_of_failure(c);
}

static enum tds_outcome open_connection(struct tds_conn *c)
{
    c->connecting = true;
    bool open = connect_somewhere(c);
    c->connecting = false;
    if (!open)
        return outcome_of_failure(c);
    dbsetinterrupt(c->db, must_stop, stop_waiting);
    return run(c, tds_sql_session(), NULL);
}

enum tds_outcome tds_conn_query(struct tds_conn *c, const char *sql, const struct tds_reader *reader)
{
    c->stopped = false;
    c->problem = (struct tds_problem){ 0 };
    if (c->db != NULL && dbdead(c->db))
        tds_conn_close(c);
    if (c->db == NULL) {
        enum tds_outcome opened = open_connection(c);
        if (opened != TDS_DONE)
            return opened;
    }
    uint64_t begun = clock_mono_ns();
    enum tds_outcome outcome = run(c, sql, reader);
    metrics_observe(METRIC_INTEGRATION_DURATION, METRIC_AZURE_SQL, METRIC_OPERATION_QUERY, clock_mono_ns() - begun);
    if (outcome == TDS_DONE)
        tell_characters(c);
    return outcome;
}

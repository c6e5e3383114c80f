/*
 * sys: control groups of both versions from prepared trees, and this very process.
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
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"

static char root[] = "/tmp/patrond-sys-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file of the tree, with the directories above it. */
static void put(const char *path, const char *text)
{
    char full[256];
    FILE *f;

    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
        *p = '/';
    }
    f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static void near(double got, double want)
{
    assert_true(got > want - 1e-9 && got < want + 1e-9);
}

static void version_2(void **state)
{
    (void)state;
    near(sys_cgroup_cpu_quota(root), 0);
    assert_int_equal(sys_cgroup_oom_kill_count(root), -1);
    put("/proc/self/cgroup", "0::/system.slice/patrond.service\n");
    put("/sys/fs/cgroup/system.slice/patrond.service/cpu.max", "max 100000\n");
    near(sys_cgroup_cpu_quota(root), 0);
    put("/sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"); /* a parent binds, too */
    near(sys_cgroup_cpu_quota(root), 1.5);
    put("/sys/fs/cgroup/system.slice/patrond.service/cpu.max", "50000 100000\n");
    near(sys_cgroup_cpu_quota(root), 0.5);
    put("/sys/fs/cgroup/system.slice/patrond.service/memory.events",
        "low 0\nhigh 0\nmax 5\noom 4\noom_kill 3\noom_group_kill 0\n");
    assert_int_equal(sys_cgroup_oom_kill_count(root), 3);
}

static void version_2_inside_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/memory.events", "oom_kill 1\n");
    near(sys_cgroup_cpu_quota(root), 2);
    assert_int_equal(sys_cgroup_oom_kill_count(root), 1);
}

static void version_1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    near(sys_cgroup_cpu_quota(root), 0);
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "300000\n");
    near(sys_cgroup_cpu_quota(root), 3);
    put("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 9\n");
    assert_int_equal(sys_cgroup_oom_kill_count(root), 9); /* the path of the host is not seen here */
    put("/sys/fs/cgroup/memory/docker/abc/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    assert_int_equal(sys_cgroup_oom_kill_count(root), 2);
}

static void odd_paths_are_not_followed(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/../../etc\n");
    put("/sys/fs/cgroup/other", "");
    put("/sys/etc/cpu.max", "100000 100000\n");
    near(sys_cgroup_cpu_quota(root), 0);
    put("/proc/self/cgroup", "rubbish\n:\n\n");
    near(sys_cgroup_cpu_quota(root), 0);
}

static void this_process(void **state)
{
    (void)state;
    uint64_t rss = sys_rss_bytes(0);
    unsigned fds = sys_open_fds(0);
    double cpu = sys_cpu_seconds(0);
    int fd = open("/dev/null", O_RDONLY);

    assert_true(sys_cpu_count() >= 1);
    assert_true(rss > 100000 && rss < (1ULL << 32));
    assert_true(sys_private_rss_bytes() > 0 && sys_private_rss_bytes() < sys_rss_bytes(getpid()) * 2);
    assert_int_equal(sys_process_state(0), 'R');
    assert_int_equal(sys_open_fds(0), fds + 1);
    close(fd);
    while (sys_cpu_seconds(0) < cpu + 0.02) /* it grows by working */
        ;
}

static void other_processes(void **state)
{
    (void)state;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_int_equal(sys_process_state(pid), 'T');
    assert_true(sys_rss_bytes(pid) > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(sys_process_state(pid), 0);
    assert_int_equal(sys_rss_bytes(pid), 0);
    assert_int_equal(sys_open_fds(pid), 0);
}

static void the_fd_limit_is_raised(void **state)
{
    (void)state;
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(sys_raise_fd_limit(), limit.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

static void files(void **state)
{
    (void)state;
    char path[128];
    struct stat st;
    size_t n;
    char *text;

    snprintf(path, sizeof(path), "%s/sub", root);
    assert_true(sys_make_dir(path, 0700));
    assert_true(sys_make_dir(path, 0700));
    assert_int_equal(sys_write_file(path, "x", "one", 3, 0640), 0);
    assert_int_equal(sys_write_file(path, "x", "second", 6, 0600), 0);
    snprintf(path, sizeof(path), "%s/sub/x", root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    text = sys_read_file(path, 6, &n);
    assert_string_equal(text, "second");
    assert_int_equal(n, 6);
    free(text);
    assert_null(sys_read_file(path, 5, &n));
    assert_int_equal(errno, EFBIG);
    assert_false(sys_make_dir(path, 0700));
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(sys_write_file(path, "y", "", 0, 0600), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_null(sys_read_file("/nonexistent", 5, NULL));
}

static char *cmdline(void)
{
    return sys_read_file("/proc/self/cmdline", 65536, NULL);
}

static void the_title_shows(void **state)
{
    (void)state;
    char *text;

    sys_title_set("patrond: worker %d", 3);
    text = cmdline();
    assert_string_equal(text, "patrond: worker 3");
    free(text);
    sys_title_set("p");
    text = cmdline();
    assert_string_equal(text, "p");
    free(text);
    assert_string_equal(getenv("PATROND_TITLE_TEST"), "kept");
    assert_non_null(strstr(program_invocation_short_name, "test_sys"));
    sys_title_set("%0999999d", 1); /* longer than there is room */
    text = cmdline();
    assert_int_equal(text[0], '0');
    free(text);
    assert_string_equal(getenv("PATROND_TITLE_TEST"), "kept");
}

#define TREE(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE(version_2),
        TREE(version_2_inside_a_container),
        TREE(version_1),
        TREE(odd_paths_are_not_followed),
        cmocka_unit_test(this_process),
        cmocka_unit_test(other_processes),
        cmocka_unit_test(the_fd_limit_is_raised),
        TREE(files),
        cmocka_unit_test(the_title_shows),
    };

    setenv("PATROND_TITLE_TEST", "kept", 1);
    sys_title_init(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

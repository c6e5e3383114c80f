/*
 * spawn: see spawn.h. Everything a child must forget, child_reset forgets.
 */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"
#include "core/metrics.h"
#include "core/notify.h"
#include "core/sys.h"
#include "proc/signals.h"
#include "proc/succession.h"

/* Ends the process when its parent has already gone, which the parent-death signal would not tell. */
static void follow_parent(pid_t parent, int signo)
{
    prctl(PR_SET_PDEATHSIG, signo);
    if (getppid() != parent)
        _exit(PROC_EXIT_FAILURE);
}

static void name_child(const struct proc_role *role, uint32_t index)
{
    char name[32];

    if (role->role == SB_ROLE_WORKER) {
        snprintf(name, sizeof(name), "%s/%u", role->name, index);
        sys_title_set("%s %u", role->title, index);
    } else {
        snprintf(name, sizeof(name), "%s", role->name);
        sys_title_set("%s", role->title);
    }
    log_set_role(name);
}

static void close_private(const struct spawn_env *env)
{
    for (int i = 0; i < SPAWN_PRIVATE_COUNT; i++) {
        if (env->private_fds[i] >= 0)
            close(env->private_fds[i]);
    }
    if (env->succession != NULL)
        succession_forget(env->succession);
}

/* Answers the child's signalfd. */
static int child_reset(const struct spawn_env *env, const struct proc_role *role, struct sb_slot *slot, pid_t master)
{
    int signal_fd = signals_child_reset();

    follow_parent(master, SIGTERM);
    close(env->lifeline[1]);
    close_private(env);
    if (role->role != SB_ROLE_WORKER) {
        struct listen_set copy = *env->listen;

        listen_close(&copy);
    }
    notify_forget();
    rng_seed();
    name_child(role, atomic_load(&slot->index));
    (void)sys_set_oom_score_adj(role->oom_score_adj); /* raising it is always allowed, so is being nicer */
    (void)!nice(role->nice);
    metrics_bind(slot);
    atomic_store(&slot->pid, getpid());
    atomic_store(&slot->state, SB_STARTING);
    return signal_fd;
}

static void __attribute__((noreturn))
child_main(const struct spawn_env *env, const struct conf *conf, struct sb_slot *slot, pid_t master)
{
    const struct proc_role *role = &proc_roles[atomic_load(&slot->role)];
    struct proc_context ctx = {
        .conf = conf,
        .sb = env->sb,
        .slot = slot,
        .listen = env->listen,
        .index = atomic_load(&slot->index),
        .generation = atomic_load(&slot->generation),
        .lifeline_fd = env->lifeline[0],
    };

    ctx.signal_fd = child_reset(env, role, slot, master);
    if (ctx.signal_fd < 0)
        fatal(PROC_EXIT_SOFTWARE, "signalfd");
    exit(role->run(&ctx));
}

pid_t spawn_child(const struct spawn_env *env, const struct conf *conf, struct sb_slot *slot)
{
    pid_t master = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        child_main(env, conf, slot, master);
    if (pid > 0)
        atomic_store(&slot->pid, pid);
    return pid;
}

/* The parent's side of a child that writes into a pipe; also where there is no child, with errno as fork left it. */
static pid_t keep_reading(pid_t pid, const int fds[2], int *read_fd)
{
    int saved = errno;

    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        errno = saved;
        return -1;
    }
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *read_fd = fds[0];
    return pid;
}

pid_t spawn_task(spawn_task_fn fn, const void *arg, const char *title, int *read_fd)
{
    pid_t parent = getpid(), pid;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        follow_parent(parent, SIGKILL);
        signals_task_reset();
        metrics_bind(NULL); /* the slot is the parent's */
        rng_seed();
        sys_title_set("%s", title);
        close(fds[0]);
        _exit(fn(arg, fds[1]));
    }
    return keep_reading(pid, fds, read_fd);
}

static void __attribute__((noreturn)) program_main(int fd, char *const argv[], pid_t parent, int out)
{
    follow_parent(parent, SIGKILL);
    (void)setpgid(0, 0);
    signals_task_reset();
    notify_forget();
    (void)unsetenv("JOURNAL_STREAM");
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0 && fcntl(fd, F_SETFD, 0) == 0)
        (void)fexecve(fd, argv, environ);
    (void)dprintf(out, "cannot execute %s: %s\n", argv[0], strerror(errno));
    _exit(PROC_EXIT_FAILURE);
}

pid_t spawn_program(int fd, char *const argv[], int *read_fd)
{
    pid_t parent = getpid(), pid;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        program_main(fd, argv, parent, fds[1]);
    pid = keep_reading(pid, fds, read_fd);
    if (pid > 0)
        (void)setpgid(pid, pid); /* whoever of both is first */
    return pid;
}

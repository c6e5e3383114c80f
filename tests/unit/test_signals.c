/*
 * Unit tests of proc/signals: what the master sends to a child that is only just born.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/signals.h"

/* A child as spawn makes it, to which SIGNO came before it was itself: what it reads first, as its exit status. */
static int first_read(int signo)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct signalfd_siginfo info = { 0 };

        signals_init();
        raise(signo); /* blocked, as in the master */
        (void)!read(signals_child_reset(), &info, sizeof(info));
        _exit((int)info.ssi_signo);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void nothing_is_lost_while_a_child_becomes_itself(void **state)
{
    static const int sent[] = { SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP };

    (void)state;
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
        assert_int_equal(first_read(sent[i]), sent[i]);
}

static void what_is_for_the_master_passes_a_child_by(void **state)
{
    static const int sent[] = { SIGUSR2, SIGTTIN, SIGTTOU };

    (void)state;
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
        assert_int_equal(first_read(sent[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_while_a_child_becomes_itself),
        cmocka_unit_test(what_is_for_the_master_passes_a_child_by),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * roles: the kernel's OOM killer takes the sync first (it can be repeated), then a worker, the master last; and the
 * sync leaves the processor to those who answer.
 */
#include "proc/roles.h"

const struct proc_role proc_roles[SB_ROLE_COUNT] = {
    [SB_ROLE_WORKER] = { SB_ROLE_WORKER, "worker", "patrond: worker", 300, 0, worker_main },
    [SB_ROLE_SYNC] = { SB_ROLE_SYNC, "sync", "patrond: sync_combined_sales", 500, 10, sync_main },
    [SB_ROLE_PROBE] = { SB_ROLE_PROBE, "probe", "patrond: probe", 100, 0, probe_main },
};

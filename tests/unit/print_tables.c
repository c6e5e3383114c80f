/*
 * print_tables: the server's tables as lines, for scripts/check-routes, check-metrics and check-openapi and the
 * tests.
 *
 *     print_tables routes    method|path|auth|policy|E, P or nothing
 *     print_tables metrics   name|type|labels by comma|buckets by comma
 *     print_tables alerts    name|severity|what has happened|what is again
 *     print_tables words     place in the OpenAPI document: schema, or schema.key|words by comma
 */
#include <stdio.h>
#include <string.h>

#include "api/params.h"
#include "api/present_archetype.h"
#include "api/routes.h"
#include "api/search_request.h"
#include "api/tools.h"
#include "core/metrics.h"
#include "core/scoreboard.h"
#include "data/products.h"
#include "model/axes_vocab.h"
#include "model/campaign.h"
#include "model/reasons.h"
#include "model/rfm.h"
#include "proc/alert.h"

static const char *cached(const struct route *r)
{
    if (!(r->flags & ROUTE_ETAG))
        return "";
    return r->flags & ROUTE_DATABASE ? "P" : "E";
}

static void print_routes(void)
{
    static const char *const levels[] = { [AUTH_PUBLIC] = "public", [AUTH_READ] = "read", [AUTH_ADMIN] = "admin" };

    for (size_t i = 0; i < routes_count; i++) {
        const struct route *r = &routes[i];

        printf("%s|%s|%s|%s|%s\n", http_method_name(r->entry.method), r->entry.path, levels[r->auth],
               r->policy != NULL ? r->policy : "", cached(r));
    }
}

static void print_metrics(void)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };

    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric *m = metrics_get((enum metric_id)i);

        printf("%s|%s|", m->name, types[m->type]);
        for (unsigned d = 0; d < 3 && m->labels[d] != NULL; d++)
            printf("%s%s", d > 0 ? "," : "", m->labels[d]);
        printf("|");
        for (unsigned b = 0; b < m->bucket_count; b++)
            printf("%s%.15g", b > 0 ? "," : "", m->buckets[b]);
        printf("\n");
    }
}

static void print_alerts(void)
{
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        const struct alert *a = &alerts_table[i];

        printf("%s|%s|%s|%s\n", a->name, a->severity, a->fires, a->ends);
    }
}

static void print_list(const char *place, const char *const *words)
{
    printf("%s|", place);
    for (size_t i = 0; words[i] != NULL; i++)
        printf("%s%s", i > 0 ? "," : "", words[i]);
    printf("\n");
}

/* Words of an enumeration, numbered from `first` on. */
static void print_names(const char *place, const char *(*name)(uint32_t), uint32_t first, uint32_t end)
{
    printf("%s|", place);
    for (uint32_t i = first; i < end; i++)
        printf("%s%s", i > first ? "," : "", name(i));
    printf("\n");
}

static const char *axis_name(uint32_t i)
{
    return axes_vocab[i].name;
}

static const char *reason_code(uint32_t i)
{
    return reason_code_name((enum reason_code)i);
}

static const char *fault_name(uint32_t i)
{
    return params_fault_name((enum params_fault)i);
}

static void print_axes(void)
{
    print_names("Axis", axis_name, 0, AXIS_COUNT);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        printf("AxisWords.%s|", axes_vocab[axis].name);
        for (unsigned i = 0; i < axes_vocab[axis].word_count; i++)
            printf("%s%s", i > 0 ? "," : "", axes_vocab[axis].words[i].name);
        printf("\n");
    }
}

static void print_words(void)
{
    print_axes();
    print_names("Reason.code", reason_code, 0, REASON_ORDER_RATE + 1);
    print_names("RfmGroup", rfm_group_name, 0, RFM_GROUPS);
    print_names("CampaignType", campaign_type_name, 0, CAMPAIGN_TYPES);
    print_names("CampaignGoal", campaign_goal_name, 0, CAMPAIGN_GOALS);
    print_list("ArchetypeMetric", archetype_metric_words);
    print_list("SearchSort", search_sort_words);
    print_list("ProductAnalysis", products_names);
    print_names("SyncMode", sb_mode_name, 0, SB_MODE_COUNT);
    print_names("Run.status", sb_run_status_name, 0, SB_RUN_STATUS_COUNT);
    print_names("Run.trigger", sb_trigger_name, 0, SB_TRIGGER_COUNT);
    print_names("SyncRunning.phase", sb_phase_name, 0, SB_PHASE_COUNT);
    print_names("SyncError.reason", sb_reason_name, SB_REASON_NONE + 1, SB_REASON_COUNT);
    print_names("Process.role", sb_role_name, 0, SB_ROLE_COUNT);
    print_names("ErrorClass", sb_error_name, SB_ERROR_NONE + 1, SB_ERROR_COUNT);
    print_names("Error.error.details.validation_errors.type", fault_name, 0, PARAMS_INVALID_VALUE + 1);
    tools_init();
    print_list("ToolName", tools_names);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "routes") == 0)
        print_routes();
    else if (argc == 2 && strcmp(argv[1], "metrics") == 0)
        print_metrics();
    else if (argc == 2 && strcmp(argv[1], "alerts") == 0)
        print_alerts();
    else if (argc == 2 && strcmp(argv[1], "words") == 0)
        print_words();
    else
        return 2;
    return 0;
}

/*
 * Any text as a question, as arguments and as an answer of Claude: what comes of it is no tool, or a tool with
 * arguments that its schema takes once they are brought into range.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/claude_message.h"
#include "api/nl_rules.h"
#include "api/tools.h"

#define MAX_MEMORY (64U << 20)

static struct arena arena;

/* Only a detail that is missing may be left to complain about: too few ids of archetypes. */
static void expect_in_range(const struct tool *t, const struct json *arguments)
{
    struct params faults;

    params_init(&faults, &arena, STR_NONE);
    tools_check(&faults, t->arguments, arguments, "arguments");
    for (size_t i = 0; i < faults.count; i++) {
        const struct params_error *e = &faults.errors[i];

        if (e->fault == PARAMS_MISSING || (e->field != NULL && strstr(e->field, "segment_ids") != NULL))
            continue;
        fprintf(stderr, "%s: %s %s\n", t->name, e->field, e->message);
        abort();
    }
}

static void as_question(struct str text)
{
    struct buf out;
    const char *tool, *why;
    struct json *arguments;

    buf_init(&out, 1 << 20);
    tool = nl_rules_read(text, &out);
    arguments = json_parse(&arena, buf_str(&out), &why);
    if (arguments == NULL)
        abort();
    if (tool != NULL) {
        tools_adjust(&arena, tools_find(str_from(tool)), arguments);
        expect_in_range(tools_find(str_from(tool)), arguments);
    }
    buf_free(&out);
}

static void as_arguments(struct str text)
{
    for (size_t i = 0; i < tools_count; i++) {
        const char *why;
        struct json *j = json_parse(&arena, text, &why);

        if (j == NULL || j->type != JSON_OBJECT)
            return;
        if (!tools_from_strict(&arena, &tools[i], j))
            return;
        tools_adjust(&arena, &tools[i], j);
        if (!arena.exhausted)
            expect_in_range(&tools[i], j);
    }
}

static void as_answer(struct str text)
{
    struct fetch_answer a = { .error = FETCH_OK, .status = 200, .head = text, .body = text };
    struct claude_reply r;

    claude_read_answer(&a, 0, 0.5, 1762158000, &arena, &r);
    if (r.error == METRIC_AI_OK && r.tool != NULL && (!r.tool->answers || r.arguments->type != JSON_OBJECT))
        abort();
    a.status = 429;
    claude_read_answer(&a, 0, 0.5, 1762158000, &arena, &r);
    if (r.error == METRIC_AI_OK || r.retry_ms < -1 || r.asked_ms < -1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct str text = { (const char *)bytes, n };

    tools_init();
    arena_init(&arena, MAX_MEMORY);
    as_question(text);
    as_arguments(text);
    as_answer(text);
    arena_free(&arena);
    return 0;
}

/*
 * mcp_prompts: questions worth asking, ready to send to a model.
 */
#include "api/mcp_prompt.h"

#include "api/errors.h"
#include "api/mcp.h"
#include "api/mcp_resource.h"
#include "api/request.h"

#define PROMPTS_TTL_MS 3600000

static const struct mcp_prompt prompts[] = {
    { .name = "briefing",
      .title = "Briefing",
      .description = "The state of the customer base for a meeting: value, risk, segments, what to do next.",
      .text =
          "Write a briefing of at most one page about the customer base of this shop, for a manager without "
          "technical background. Use the tools of this server for every number: who the most valuable customers "
          "are, which segments grow or shrink, how many customers are at risk of leaving and what they are worth, "
          "and which archetypes suit a retention and a win-back campaign. Name the as-of day. End with three "
          "actions, each with the number that speaks for it." },
    { .name = "churn_review",
      .title = "Churn review",
      .description = "Why one customer may leave, and what could keep him.",
      .argument = "customer_id",
      .argument_title = "Customer",
      .argument_description = "Customer id",
      .scheme = MCP_CUSTOMER_URI,
      .text = "Review the risk that the customer below leaves. Call predict_churn_risk for the reasons, compare his "
              "last order with his usual gap and his archetype (get_archetype_stats), and say in plain words: how "
              "likely he is to order again, what speaks for and against it, what he is worth, and the one action you "
              "would take, if any." },
    { .name = "segment_summary",
      .title = "Segment summary",
      .description = "What sets one archetype apart, and how to speak to it.",
      .argument = "archetype_id",
      .argument_title = "Archetype",
      .argument_description = "Archetype id, arch_ and 12 digits",
      .scheme = MCP_ARCHETYPE_URI,
      .text = "Summarise the archetype below for a marketing team: who these customers are, how much they matter, "
              "how they buy, how their numbers develop (calculate_segment_trends on its dominant segments), and "
              "which campaign suits them (recommend_segments_for_campaign). Show three customers of it "
              "(search_customers) as examples." },
};
#define PROMPTS (sizeof(prompts) / sizeof(prompts[0]))

const struct mcp_prompt *mcp_prompt_find(struct str name)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        if (str_eq_lit(name, prompts[i].name))
            return &prompts[i];
    }
    return NULL;
}

static void put_arguments(struct json_writer *w, const struct mcp_prompt *p)
{
    json_key(w, "arguments");
    json_array_begin(w);
    if (p->argument != NULL) {
        json_object_begin(w);
        json_kv_cstr(w, "name", p->argument);
        json_kv_cstr(w, "title", p->argument_title);
        json_kv_cstr(w, "description", p->argument_description);
        json_kv_bool(w, "required", true);
        json_object_end(w);
    }
    json_array_end(w);
}

void mcp_prompts_list(struct mcp_call *m)
{
    struct json_writer w;

    if (!mcp_has_one_page(m))
        return;
    mcp_result_begin(m, &w);
    json_key(&w, "prompts");
    json_array_begin(&w);
    for (size_t i = 0; i < PROMPTS; i++) {
        json_object_begin(&w);
        json_kv_cstr(&w, "name", prompts[i].name);
        json_kv_cstr(&w, "title", prompts[i].title);
        json_kv_cstr(&w, "description", prompts[i].description);
        put_arguments(&w, &prompts[i]);
        json_object_end(&w);
    }
    json_array_end(&w);
    mcp_put_hints(m, &w, PROMPTS_TTL_MS, MCP_PUBLIC);
    mcp_result_end(m, &w);
}

/* ---- prompts/get ---- */

/* The URI of what the prompt is about. STR_NONE: none is needed. False: an argument is wrong, the call has failed. */
static bool read_subject(struct mcp_call *m, const struct mcp_prompt *p, struct str *uri)
{
    const struct json *arguments = json_get(m->message.params, "arguments"), *id;
    char *text;

    *uri = STR_NONE;
    if (arguments != NULL && arguments->type != JSON_OBJECT) {
        mcp_fail(m, MCP_INVALID_PARAMS, "arguments must be an object of texts");
        return false;
    }
    if (p->argument == NULL)
        return true;
    id = json_get(arguments, p->argument);
    if (id == NULL || id->type != JSON_STRING) {
        mcp_fail(m, MCP_INVALID_PARAMS, "%s needs the argument %s, a text", p->name, p->argument);
        return false;
    }
    text = arena_printf(&m->q->http->arena, "%s%.*s", p->scheme, (int)id->text.len, id->text.p);
    if (text == NULL) {
        error_no_memory(m->q);
        return false;
    }
    *uri = str_from(text);
    return true;
}

static void message_begin(struct json_writer *w, const char *type)
{
    json_object_begin(w);
    json_kv_cstr(w, "role", "user");
    json_key(w, "content");
    json_object_begin(w);
    json_kv_cstr(w, "type", type);
}

static void message_end(struct json_writer *w)
{
    json_object_end(w);
    json_object_end(w);
}

static void answer(struct mcp_call *m, const struct mcp_prompt *p, struct str uri, struct str subject)
{
    struct json_writer w;

    mcp_result_begin(m, &w);
    json_kv_cstr(&w, "description", p->description);
    json_key(&w, "messages");
    json_array_begin(&w);
    message_begin(&w, "text");
    json_kv_cstr(&w, "text", p->text);
    message_end(&w);
    if (uri.p != NULL) {
        message_begin(&w, "resource");
        json_key(&w, "resource");
        mcp_resource_put(&w, uri, subject);
        message_end(&w);
    }
    json_array_end(&w);
    mcp_result_end(m, &w);
}

void mcp_prompts_get(struct mcp_call *m)
{
    struct str name = mcp_text(m, "name"), uri, subject = STR_NONE;
    const struct mcp_prompt *p = mcp_prompt_find(name);
    enum mcp_resource found = MCP_RESOURCE_FOUND;

    if (p == NULL) {
        mcp_fail(m, MCP_INVALID_PARAMS, "Unknown prompt: %.*s", (int)(name.len < 128 ? name.len : 128),
                 name.len > 0 ? name.p : "");
        return;
    }
    if (!read_subject(m, p, &uri))
        return;
    if (uri.p != NULL)
        found = mcp_resource_fetch(m->q, uri, &subject);
    if (found == MCP_RESOURCE_MISSING)
        mcp_fail(m, MCP_INVALID_PARAMS, "%s: no %s has this id", p->argument, p->argument_title);
    else if (found != MCP_RESOURCE_FOUND)
        mcp_resource_fail(m, found, uri);
    else
        answer(m, p, uri, subject);
}

/*
 * season: archetypes to address for an event (CONTRACT 17.3, seasonal_archetype_recommendation).
 */
#ifndef API_SEASON_H
#define API_SEASON_H

struct tool_call;

/* The events, NULL-terminated; filled by season_init. */
extern const char *season_words[];
void season_init(void);
/* Ends the call, from its arguments `event` (none: the holiday season) and `limit`, where the tool has one. */
void season_recommend(struct tool_call *c);

#endif

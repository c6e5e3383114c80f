/*
 * model_fixture: see the header.
 */
#include "model_fixture.h"

#include <math.h>

static uint64_t state;

void model_fixture_seed(uint64_t seed)
{
    state = seed;
}

double model_fixture_uniform(void) /* splitmix64 */
{
    state += 0x9e3779b97f4a7c15ULL;
    uint64_t z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

double model_fixture_gamma(double shape) /* Marsaglia & Tsang 2000 */
{
    if (shape < 1) {
        double boost = pow(model_fixture_uniform(), 1 / shape);
        return model_fixture_gamma(shape + 1) * boost;
    }
    for (double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);;) {
        double radius = sqrt(-2 * log(model_fixture_uniform())),
               n = radius * cos(6.283185307179586 * model_fixture_uniform()), v = pow(1 + c * n, 3);
        if (v > 0 && log(model_fixture_uniform()) < 0.5 * n * n + d - d * v + d * log(v))
            return d * v;
    }
}

/* Times of repeat purchases in weeks after the first, up to `until`; returns how many. */
static size_t repeat_times(const struct mbg_params *p, double until, double *times, size_t room)
{
    double lambda = model_fixture_gamma(p->r) / p->alpha, g = model_fixture_gamma(p->a);
    double leave = g / (g + model_fixture_gamma(p->b)), now = 0;
    size_t n = 0;

    if (!p->bg && model_fixture_uniform() < leave)
        return 0;
    while (n < room) {
        now -= log(model_fixture_uniform()) / lambda;
        if (!(now < until))
            break;
        times[n++] = now;
        if (model_fixture_uniform() < leave)
            break;
    }
    return n;
}

static double draw_age(const struct model_shop *shop)
{
    return shop->least_weeks + (shop->most_weeks - shop->least_weeks) * model_fixture_uniform();
}

struct mbg_history model_fixture_history(const struct model_shop *shop)
{
    static double times[1 << 16];
    double age = draw_age(shop);
    size_t n = repeat_times(&shop->mbg, age, times, sizeof(times) / sizeof(times[0]));

    return (
        struct mbg_history){ .x = (uint32_t)n, .tx = n > 0 ? (float)times[n - 1] : 0, .t = (float)age, .count = 1 };
}

size_t model_fixture_days(const struct model_shop *shop, struct facts_day days[MODEL_FIXTURE_DAYS])
{
    double times[MODEL_FIXTURE_DAYS - 1], age = draw_age(shop);
    size_t repeats = repeat_times(&shop->mbg, age + shop->future_weeks, times, MODEL_FIXTURE_DAYS - 1), n = 0;
    double nu = model_fixture_gamma(shop->spend.q) / shop->spend.v;
    int32_t first = MODEL_FIXTURE_AS_OF - (int32_t)(age * 7);

    for (size_t i = 0; i <= repeats; i++) {
        int32_t day = first + (i > 0 ? (int32_t)floor(times[i - 1] * 7) : 0);
        int64_t cents = 1 + llround(100 * model_fixture_gamma(shop->spend.p) / nu);
        if (n > 0 && days[n - 1].day == day) {
            days[n - 1].net_cents += cents;
            days[n - 1].orders++;
            continue;
        }
        days[n++] = (struct facts_day){ .day = day, .net_cents = cents, .orders = 1, .purchase = true };
    }
    return n;
}

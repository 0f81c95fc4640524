/*
 * Counts are kept by number of text, so that an event costs a few additions.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "fleet_private.h"

#define TOP 10

static void put_string(xt_buf *out, xt_slice s)
{
    xt_json json = xt_json_to(out);
    xt_json_string(&json, s);
}

int xt_truth_init(xt_truth *truth, const xt_capture *capture)
{
    truth->n_texts = xt_capture_texts(capture);
    truth->n_users = truth->n_texts + XT_PEOPLE_A + XT_PEOPLE_B;
    truth->by_text = calloc(truth->n_texts, sizeof *truth->by_text);
    truth->users = calloc(truth->n_users, 4 * sizeof *truth->users);
    truth->is_nmap = calloc(truth->n_texts, 1);
    truth->first_ms = INT64_MAX;
    if (!truth->by_text || !truth->users || !truth->is_nmap)
        return xt_error_origin(-ENOMEM);
    for (uint32_t i = 0; i < truth->n_texts; i++)
        truth->is_nmap[i] = xt_slice_find_nocase(xt_capture_text(capture, i)->bytes, XT_S("nmap")) >= 0;
    return 0;
}

void xt_truth_fini(xt_truth *truth)
{
    free(truth->by_text);
    free(truth->users);
    free(truth->is_nmap);
}

/* Which user that is: a text, or a person behind the texts. */
static uint32_t user_of(const xt_truth *truth, const xt_play *play, const xt_text *text)
{
    if (text->n_patches == 0)
        return text->id;
    xt_person kind = text->patches[0].kind == XT_PATCH_NAME_A ? XT_PERSON_A : XT_PERSON_B;
    return truth->n_texts + (kind == XT_PERSON_A ? 0 : XT_PEOPLE_A) + play->people[kind];
}

void xt_truth_see(xt_truth *truth, const xt_host *host, const xt_play *play, const xt_sample *sample, int64_t time_ms)
{
    int64_t day = (time_ms - XT_FLEET_START_MS) / XT_FLEET_DAY_MS;
    day = day < 0 ? 0 : day > XT_FLEET_DAYS ? XT_FLEET_DAYS : day;
    truth->n_events++;
    truth->by_day[day]++;
    truth->first_ms = time_ms < truth->first_ms ? time_ms : truth->first_ms;
    truth->last_ms = time_ms > truth->last_ms ? time_ms : truth->last_ms;
    for (uint16_t i = 0; i < sample->n_values; i++) {
        const xt_sample_value *v = &sample->values[i];
        if (v->field == XT_F_EXE) {
            truth->by_text[v->text->id]++;
        } else if (v->field == XT_F_ARGS) {
            truth->n_nmap += truth->is_nmap[v->text->id];
        } else if (v->field == XT_F_USER) {
            uint32_t user = user_of(truth, play, v->text);
            truth->users[4 * (size_t)user + host->index / 64] |= UINT64_C(1) << (host->index % 64);
            truth->alice_by_day[day] += user == truth->n_texts;
        }
    }
}

static void put_numbers(xt_buf *out, const char *name, const uint64_t *v, size_t n)
{
    xt_buf_printf(out, "\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        xt_buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)v[i]);
    xt_buf_puts(out, "],");
}

static void put_top(const xt_truth *truth, const xt_capture *capture, xt_buf *out)
{
    uint64_t below = UINT64_MAX;
    uint32_t last = 0;
    xt_buf_puts(out, "\"top_exe\":[");
    for (unsigned n = 0; n < TOP; n++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < truth->n_texts; i++) {
            bool later = truth->by_text[i] < below || (truth->by_text[i] == below && i > last);
            if (later && (best == UINT32_MAX || truth->by_text[i] > truth->by_text[best]))
                best = i;
        }
        if (best == UINT32_MAX || truth->by_text[best] == 0)
            break;
        below = truth->by_text[best];
        last = best;
        xt_buf_puts(out, n ? ",[" : "[");
        put_string(out, xt_capture_text(capture, best)->bytes);
        xt_buf_printf(out, ",%llu]", (unsigned long long)below);
    }
    xt_buf_puts(out, "],");
}

static void put_users(const xt_truth *truth, const xt_capture *capture, xt_buf *out)
{
    const char *between = "";
    xt_buf_puts(out, "\"hosts_by_user\":{");
    for (uint32_t i = 0; i < truth->n_users; i++) {
        unsigned n = 0;
        for (unsigned w = 0; w < 4; w++)
            n += (unsigned)__builtin_popcountll(truth->users[4 * (size_t)i + w]);
        if (n == 0)
            continue;
        uint32_t person = i - truth->n_texts;
        xt_slice name = i < truth->n_texts     ? xt_capture_text(capture, i)->bytes
                        : person < XT_PEOPLE_A ? xt_slice_str(xt_person_name(XT_PERSON_A, person))
                                               : xt_slice_str(xt_person_name(XT_PERSON_B, person - XT_PEOPLE_A));
        xt_buf_puts(out, between);
        put_string(out, name);
        xt_buf_printf(out, ":%u", n);
        between = ",";
    }
    xt_buf_puts(out, "},");
}

void xt_fleet_truth_put(const xt_fleet *f, xt_buf *out)
{
    const xt_truth *t = &f->truth;
    xt_buf_printf(out, "{\"events\":%llu,\"commands\":%llu,\"unique_arguments\":%llu,\"nmap\":%llu,\"needles\":%llu,",
                  (unsigned long long)t->n_events, (unsigned long long)t->n_commands, (unsigned long long)t->n_unique,
                  (unsigned long long)t->n_nmap, (unsigned long long)t->n_needles);
    xt_buf_printf(out, "\"needle\":\"%s\",\"start_ms\":%lld,\"first_ms\":%lld,\"last_ms\":%lld,", XT_FLEET_NEEDLE,
                  (long long)XT_FLEET_START_MS, (long long)t->first_ms, (long long)t->last_ms);
    put_numbers(out, "events_by_day", t->by_day, XT_FLEET_DAYS + 1);
    put_numbers(out, "alice_by_day", t->alice_by_day, XT_FLEET_DAYS + 1);
    put_top(t, f->capture, out);
    put_users(t, f->capture, out);
    xt_buf_printf(out, "\"hosts\":%u}", XT_FLEET_HOSTS);
}

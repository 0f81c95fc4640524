/*
 * bench/generate/fleet_private - for fleet.c (time), fleet_host.c (a host), fleet_play.c (events), fleet_truth.c
 */
#pragma once
#include "fleet.h"

#define XT_EXTRA_BYTES 48

/* A process of a tree that is being played. */
typedef struct xt_actor {
    int64_t start_ms; /* of its last exec */
    uint32_t pid;
    uint8_t n_extra;
    char extra[XT_EXTRA_BYTES]; /* the argument that was added to its command line */
} xt_actor;

/* A root on a host. */
typedef struct xt_base {
    xt_actor actor;
    uint32_t people[3]; /* by xt_person */
    uint64_t ses;
    int32_t day; /* on which it began; -1: not since the boot */
} xt_base;

typedef struct xt_play {
    const xt_tree *tree;
    int64_t start_ms;
    uint32_t next;
    uint32_t people[3];
    uint64_t sessions[XT_SAMPLE_MAX_SESSIONS];
    xt_base root; /* as it was when the play began */
    xt_actor *actors;
} xt_play;

#define XT_HOST_PEOPLE 6

typedef struct xt_host {
    char name[32], id[33], boot[37];
    unsigned index, role;
    double weight, owed; /* share of all events; events that are due */
    bool has_alice, has_local_ids;
    uint32_t people[3][XT_HOST_PEOPLE]; /* numbers in the table of names, by xt_person */
    uint32_t next_pid, first_pid, max_pid;
    uint64_t next_serial, next_ses, next_inode, inode_seed;
    uint64_t random;
    int64_t boot_ms, reboot_ms; /* the next one; INT64_MAX none */
    xt_base *bases;
    xt_play **plays; /* a heap by the time of the next event */
    size_t n_plays, cap_plays;
} xt_host;

typedef struct xt_truth {
    uint64_t n_events, n_commands, n_unique, n_nmap, n_needles;
    uint64_t by_day[XT_FLEET_DAYS + 1], alice_by_day[XT_FLEET_DAYS + 1];
    uint64_t *by_text; /* events by text of EXE; names of people as they stand in the capture */
    uint64_t *users;   /* 4 words a user: hosts as bits; users: texts, then people */
    uint8_t *is_nmap;  /* by text of ARGS */
    uint32_t n_texts, n_users;
    int64_t first_ms, last_ms;
} xt_truth;

#define XT_N_ROLES 8

struct xt_fleet {
    xt_fleet_settings settings;
    xt_capture *capture;
    const xt_tree *trees;
    const xt_root *roots;
    uint32_t n_trees, n_roots;
    const xt_tree **deck[XT_N_ROLES]; /* trees as often as a role runs them */
    uint32_t n_deck[XT_N_ROLES];
    const xt_tree *scan;
    uint32_t deploys[XT_N_ROLES]; /* root whose trees a deploy runs */
    xt_host *hosts;
    double total_weight;
    uint64_t next_nmap, next_needle, n_unique;
    char *scratch;
    size_t n_scratch;
    xt_truth truth;
};

uint64_t xt_mix(uint64_t v);
uint64_t xt_random(uint64_t *state);
/* Below n < 2^32. */
static inline uint64_t xt_random_below(uint64_t *state, uint64_t n)
{
    return ((xt_random(state) >> 32) * n) >> 32;
}

/* fleet_host.c */
XT_MUST_USE int xt_host_init(xt_host *host, const xt_fleet *fleet, unsigned index);
void xt_host_fini(xt_host *host);
/* Everything that ran is gone. */
void xt_host_boot(xt_host *host, const xt_fleet *fleet, int64_t now_ms);
uint32_t xt_host_pid(xt_host *host);
/* Who of the host's people works at that time. */
uint32_t xt_host_person(xt_host *host, xt_person kind, int64_t now_ms);
const char *xt_person_name(xt_person kind, uint32_t number);
uint32_t xt_person_uid(const xt_host *host, xt_person kind, uint32_t number);
#define XT_PEOPLE_A 40
#define XT_PEOPLE_B 24
XT_MUST_USE int xt_host_begin(xt_host *host, const xt_tree *tree, int64_t start_ms);
/* Time of the next event of any play; INT64_MAX none. */
int64_t xt_host_next_ms(const xt_host *host);
/* The play on top went on or ended. */
void xt_host_advance(xt_host *host);

/* fleet_play.c: gives out the next event of the play on top. */
XT_MUST_USE int xt_play_next(xt_fleet *fleet, xt_host *host);

/* fleet_truth.c */
XT_MUST_USE int xt_truth_init(xt_truth *truth, const xt_capture *capture);
void xt_truth_fini(xt_truth *truth);
void xt_truth_see(xt_truth *truth, const xt_host *host, const xt_play *play, const xt_sample *sample, int64_t time_ms);

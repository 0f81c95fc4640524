/* The table. docs/api.md lists the same routes; tests/unit/web asks each of them in every role. */
#include "web/api.h"

#define API "/api/v1"

/* clang-format off */
const xt_route xt_routes[] = {
    {"GET",  "/",                                XT_ROLE_NONE,    xt_page_index,       "the page"},
    {"GET",  "/{file}",                          XT_ROLE_NONE,    xt_page_file,        "a file of the page"},
    {"POST", API "/login",                       XT_ROLE_NONE,    xt_api_login,        "trades a login secret for the cookie"},
    {"POST", API "/logout",                      XT_ROLE_NONE,    xt_api_logout,       "ends the session of the cookie"},
    {"GET",  API "/me",                          XT_ROLE_VIEWER,  xt_api_me,           "who is asking"},
    {"GET",  API "/status",                      XT_ROLE_VIEWER,  xt_api_status,       "what is in the store"},
    {"GET",  API "/fields",                      XT_ROLE_VIEWER,  xt_api_fields,       "the fields a query may name"},
    {"GET",  API "/search",                      XT_ROLE_VIEWER,  xt_api_search,       "rows, counts, groups"},
    {"GET",  API "/histogram",                   XT_ROLE_VIEWER,  xt_api_histogram,    "events over time"},
    {"GET",  API "/events/{id}",                 XT_ROLE_VIEWER,  xt_api_event,        "one event with its records"},
    {"POST", API "/events/{id}/unseal",          XT_ROLE_ANALYST, xt_api_event_unseal, "what its secrets are sealed in; the asking is an event"},
    {"GET",  API "/tail",                        XT_ROLE_VIEWER,  xt_api_tail,         "events as they come"},
    {"GET",  API "/sessions/{host}/{ses}",       XT_ROLE_VIEWER,  xt_api_session,      "one login session"},
    {"GET",  API "/alerts",                      XT_ROLE_VIEWER,  xt_api_alerts,       "alerts, newest first"},
    {"GET",  API "/alerts/{id}",                 XT_ROLE_VIEWER,  xt_api_alert,        "one alert"},
    {"POST", API "/alerts/{id}/ack",             XT_ROLE_ANALYST, xt_api_alert_ack,    "acknowledges it"},
    {"POST", API "/alerts/{id}/close",           XT_ROLE_ANALYST, xt_api_alert_close,  "closes it"},
    {"POST", API "/alerts/{id}/reopen",          XT_ROLE_ANALYST, xt_api_alert_reopen, "opens it again"},
    {"GET",  API "/hosts",                       XT_ROLE_VIEWER,  xt_api_hosts,        "the fleet"},
    {"POST", API "/hosts/{host}/revoke",         XT_ROLE_ADMIN,   xt_api_host_revoke,  "refuses a host from now on"},
    {"POST", API "/hosts/{host}/restore",        XT_ROLE_ADMIN,   xt_api_host_restore, "takes that back"},
    {"POST", API "/hosts/{host}/group",          XT_ROLE_ADMIN,   xt_api_host_group,   "puts it into a group"},
    {"GET",  API "/rules",                       XT_ROLE_VIEWER,  xt_api_rules,        "the rules in force"},
    {"POST", API "/rules/reload",                XT_ROLE_ADMIN,   xt_api_rules_reload, "reads the rules again"},
    {"POST", API "/tokens",                      XT_ROLE_ADMIN,   xt_api_token_new,    "an enrolment token"},
    {"GET",  API "/users",                       XT_ROLE_ADMIN,   xt_api_users,        "who may log in"},
    {"POST", API "/users",                       XT_ROLE_ADMIN,   xt_api_user_add,     "adds a user"},
    {"POST", API "/users/{name}/link",           XT_ROLE_ADMIN,   xt_api_user_link,    "a one-time login link"},
    {"POST", API "/import",                      XT_ROLE_ADMIN,   xt_api_import,       "audit text into the store"},
    {"POST", API "/seal",                        XT_ROLE_ADMIN,   xt_api_seal,         "seals what is open"},
    {"GET",  API "/store",                       XT_ROLE_ADMIN,   xt_api_store,        "room on disk, and what retention would do"},
    {"GET",  API "/holds",                       XT_ROLE_ADMIN,   xt_api_holds,        "legal holds"},
    {"POST", API "/holds",                       XT_ROLE_ADMIN,   xt_api_hold_add,     "places a legal hold"},
    {"POST", API "/holds/{id}/remove",           XT_ROLE_ADMIN,   xt_api_hold_remove,  "removes it"},
    {"GET",  API "/erasures",                    XT_ROLE_ADMIN,   xt_api_erasures,     "what was erased, by whom, when and why"},
    {"POST", API "/erasures",                    XT_ROLE_ADMIN,   xt_api_erase,        "erases what a query matches"},
    {"POST", API "/backup",                      XT_ROLE_ADMIN,   xt_api_backup,       "a generation of a backup; from this machine alone"},
    {"GET",  API "/verify/head",                 XT_ROLE_ADMIN,   xt_api_ledger_head,  "the ledger's head, signed"},
    {"GET",  API "/verify",                      XT_ROLE_ADMIN,   xt_api_verify,       "checks what is stored"},
    {0},
};
/* clang-format on */

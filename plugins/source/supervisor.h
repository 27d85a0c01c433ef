/* Keeps a source going: begins attempts, watches them, lets go of them and decides what comes next. On a thread of its own, which never waits for an attempt without a limit. */
#ifndef FOVEA_SOURCE_SUPERVISOR_H
#define FOVEA_SOURCE_SUPERVISOR_H

#include "common/linkstate.h"
#include "input.h"

G_BEGIN_DECLS

typedef enum FoveaRestart { FOVEA_RESTART_AUTO, FOVEA_RESTART_ALWAYS, FOVEA_RESTART_ON_ERROR, FOVEA_RESTART_NEVER } FoveaRestart;

typedef struct FoveaSupervisorOptions {
  FoveaPlace place;
  FoveaInputOptions input; /* its place, user, password, clock and base_time are set for each attempt */
  gchar *username, *password, *password_from; /* before what the place says; NULL: not given */
  guint retry_min_ms, retry_max_ms;
  guint stall_ms; /* 0: off */
  FoveaRestart restart;
} FoveaSupervisorOptions;

typedef struct FoveaSupervisorStats {
  FoveaLinkState state;
  gint64 state_since; /* monotonic us */
  guint64 reconnects, stalls;
  gchar *last_error; /* NULL: none; free */
} FoveaSupervisorStats;

typedef struct FoveaSupervisor FoveaSupervisor;

/* element posts the messages; it and feed outlive the supervisor. Takes what options hold. */
FoveaSupervisor *fovea_supervisor_new(GstElement *element, FoveaFeed *feed, FoveaSupervisorOptions *options);
/* Stops first. Accepts NULL. */
void fovea_supervisor_free(FoveaSupervisor *supervisor);
/* Reads the secrets; FALSE with a sentence that names where they were to come from. */
gboolean fovea_supervisor_check(FoveaSupervisor *supervisor, GError **error);
void fovea_supervisor_start(FoveaSupervisor *supervisor);
void fovea_supervisor_stop(FoveaSupervisor *supervisor);
void fovea_supervisor_get_stats(FoveaSupervisor *supervisor, FoveaSupervisorStats *ret_stats);

G_END_DECLS
#endif

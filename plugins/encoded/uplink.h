/* What stands between a stream of encoded frames and a link that comes and goes: foveaspool without its properties.
 *
 * Threads: the streaming thread appends frames and never waits. The keeper owns the spool, decides what goes to it, confirms, and starts and ends links. Each link has a thread of
 * its own, which is the only one that runs its child; one that hangs is let go: it keeps its share of this structure until it comes back.
 *
 * A GOP's way: queue (oldest first; the last one grows) -> sent -> confirmed and gone. Not begun within live_latency: queue -> doomed -> spool -> replay -> replayed ->
 * confirmed and acknowledged. When a link fails, what was not confirmed goes back one step. */
#ifndef FOVEA_PLUGINS_UPLINK_H
#define FOVEA_PLUGINS_UPLINK_H

#include "common/linkstate.h"
#include "gopspool.h"

G_BEGIN_DECLS

#define FOVEA_PRIORITY_PLAIN 2
#define FOVEA_PRIORITY_EVENT 5

typedef struct FoveaUplink FoveaUplink;

typedef enum FoveaUplinkTimes {
  FOVEA_TIMES_RUNNING = 0, /* running time of the pipeline that took the frames */
  FOVEA_TIMES_UTC,         /* ns since 1970: goes on over restarts */
} FoveaUplinkTimes;

typedef struct FoveaUplinkParams {
  gchar *sink, *replay_sink; /* launch texts; replay_sink NULL: sink */
  gchar *spool;              /* directory; NULL: nothing is kept beyond live_latency */
  gint64 spool_bytes, spool_age; /* bytes, seconds */
  FvSpoolPolicy spool_policy;
  gboolean newest_first;
  guint64 replay_rate;       /* bytes/s; 0: no limit */
  guint live_latency, confirm_after, retry_min, retry_max, stall_timeout, trigger_delay, drain_timeout; /* ms */
  guint64 queue_bytes;       /* of memory */
  FoveaUplinkTimes times;
} FoveaUplinkParams;

typedef struct FoveaUplinkStats {
  FoveaLinkState state, replay_state;
  guint64 frames, undecodable;         /* received; of them those before the first key frame */
  guint64 live_gops, live_bytes;       /* confirmed */
  guint64 spooled_gops, spooled_bytes; /* written to the spool */
  guint64 replayed_gops, replayed_bytes; /* confirmed and acknowledged */
  guint64 event_gops;                  /* of the spooled: with priority */
  guint64 dropped_gops, dropped_bytes; /* neither sent nor kept: no spool, no room in it or in memory */
  guint64 again_gops;                  /* handed over and, not being confirmed, to be sent again */
  guint64 damaged_gops;                /* stored ones that could not be put together */
  guint64 reconnects, let_go;          /* links that followed one that worked; children that hung */
  gint64 waiting_ns;                   /* age of the oldest frame that waits for the live link */
  gint64 pending;                      /* records in the spool, not acknowledged */
  FvSpoolStats spool;                  /* zeroes without one */
  gchar *last_error;                   /* to be freed; NULL: none */
} FoveaUplinkStats;

/* Takes over what params point to. Messages are posted by `element`, which must live until stop. */
FoveaUplink *fovea_uplink_start(GstElement *element, FoveaUplinkParams *params);
/* Sends, within drain_timeout and where connected, what waits; the rest goes to the spool. */
void fovea_uplink_stop(FoveaUplink *uplink);

/* From the streaming thread; takes over the frame. */
void fovea_uplink_append(FoveaUplink *uplink, FoveaFrame *frame, GstCaps *caps);
/* The stream has ended or begins anew: the open GOP is complete. */
void fovea_uplink_end_gop(FoveaUplink *uplink);
/* A detection at a running time, from any thread. */
void fovea_uplink_trigger(FoveaUplink *uplink, gint64 running_time);
/* The network is up again: try at once. From any thread. */
void fovea_uplink_retry(FoveaUplink *uplink);
FoveaUplinkStats fovea_uplink_stats(FoveaUplink *uplink);

void fovea_uplink_params_clear(FoveaUplinkParams *params);

G_END_DECLS
#endif

/* Carries messages from an outbox over a transport, on a thread of its own: connects, waits between attempts (longer each time, shorter when the network comes up), sends
 * as much as may be open at a time, and takes a message out of the outbox when the far side has it. */
#ifndef FOVEA_PLUGINS_COURIER_H
#define FOVEA_PLUGINS_COURIER_H

#include "common/linkstate.h"
#include "outbox.h"
#include "transport.h"

G_BEGIN_DECLS

typedef struct FoveaCourier FoveaCourier;

/* Called from the courier's thread, without its locks. */
typedef struct FoveaCourierEvents {
  void (*state_changed)(gpointer user, FoveaLinkState state, const gchar *reason, guint retry_in_ms, guint attempt);
  void (*rejected)(gpointer user, const gchar *reason);
  void (*tick)(gpointer user); /* every FOVEA_OUTBOX_TICK_MS or so */
} FoveaCourierEvents;

typedef struct FoveaCourierParams {
  FoveaTransport *transport; /* the courier's from now on */
  FoveaOutbox *outbox;       /* outlives the courier */
  guint retry_min_ms, retry_max_ms;
  guint answer_timeout_ms;   /* messages are open and none is answered for so long: the link is down, though nobody says so */
  const FoveaCourierEvents *events;
  gpointer user;
} FoveaCourierParams;

typedef struct FoveaCourierStats {
  FoveaLinkState state;
  guint64 sent, sent_bytes;  /* handed to the transport, repetitions included */
  guint64 acknowledged, acknowledged_bytes;
  guint64 rejected;
  guint64 duplicates_possible; /* were open when a connection was lost: the far side may have had them */
  guint64 reconnects;        /* connections after the first */
  guint failures;            /* lost connections and attempts that failed */
  gchar *last_error;         /* to be freed; NULL: none yet */
} FoveaCourierStats;

FoveaCourier *fovea_courier_new(const FoveaCourierParams *params);
void fovea_courier_start(FoveaCourier *courier);
/* Stops at once, with a good-bye to the far side where it is connected. */
void fovea_courier_stop(FoveaCourier *courier);
/* Stopped already, or never started. Accepts NULL. */
void fovea_courier_free(FoveaCourier *courier);
/* There is something new in the outbox. Any thread. */
void fovea_courier_wake(FoveaCourier *courier);
/* Waits until the outbox is empty and the transport has flushed, at most until a monotonic time (us); TRUE: it is. Not the courier's own thread. */
gboolean fovea_courier_drain(FoveaCourier *courier, gint64 until);
void fovea_courier_stats(FoveaCourier *courier, FoveaCourierStats *ret_stats); /* any thread */

G_END_DECLS
#endif

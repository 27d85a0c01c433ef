/* Inside of the uplink: uplink.c is the streaming thread's and the outside's half, uplink_feed.c what the links' threads ask, uplink_keeper.c the keeper. */
#ifndef FOVEA_PLUGINS_UPLINK_INTERNAL_H
#define FOVEA_PLUGINS_UPLINK_INTERNAL_H

#include "common/backoff.h"
#include "link.h"
#include "uplink.h"

G_BEGIN_DECLS

#define FOVEA_TRIGGERS 256 /* remembered; older ones have met their GOP */

typedef struct FoveaEntry {
  FoveaGop *gop;
  GArray *ids;        /* of a replayed one: guint64 in the spool; else NULL */
  guint sent;         /* frames handed over */
  gboolean begun;     /* by the link there is now */
  gboolean complete;  /* no frame will be added */
  gint64 since;       /* monotonic us: when the first frame came, and for a complete one of the doomed when that was */
  gint64 completed;
  gint64 handed_at;   /* all of it, monotonic us */
  guint64 handed_frames, handed_bytes; /* the link's counts then */
} FoveaEntry;

typedef struct FoveaSlot {
  FoveaLink *link;
  FoveaBackoff backoff;
  FoveaLinkState state;
  gint64 retry_at;    /* monotonic us: not before */
  guint retry_in;     /* ms, as posted */
  gboolean worked;    /* a link of this slot was connected before */
  guint follow;       /* the part of a GOP whose predecessor went over this link last; 0: none */
  gboolean post;      /* the state is to be told */
  gchar *reason;
} FoveaSlot;

struct FoveaUplink {
  gatomicrefcount references; /* of the owner, the keeper and every link's thread */
  GMutex lock;
  GCond changed;              /* for the links */
  GCond wake;                 /* for the keeper */
  FoveaUplinkParams params;   /* do not change */
  GstElement *element;        /* the keeper's */
  GThread *keeper;

  GQueue queue, sent, doomed, replay, replayed; /* FoveaEntry */
  gsize memory;               /* bytes of queue, sent and doomed */
  gboolean skip;              /* until the next key frame */
  gint64 newest;              /* running time of the newest frame; FOVEA_NO_TIME: none yet */
  GstCaps *caps;              /* of the newest frame */
  gint64 epoch;               /* of the stream; 0: not known yet */
  gint64 triggers[FOVEA_TRIGGERS];
  guint trigger_count;        /* ever */
  FoveaSlot live, again;
  gdouble tokens;             /* bytes of replay that may go now */
  gint64 filled_at;
  gint64 replay_active;       /* monotonic us: when there was something to replay last */
  gboolean stopping;
  gint64 stop_by;             /* monotonic us */
  gint64 opened_at;           /* monotonic us: last attempt to open the spool */
  FoveaUplinkStats stats;     /* what is counted here */

  /* the keeper's, without the lock */
  FvSpool *spool;
  FoveaGopReader reader;
  gsize record_bytes;
  gboolean appended;          /* since the reader was rewound */
  gint64 looked_at, warned_at; /* monotonic us */
  gchar *target; /* of messages: the live link's text without secrets */
};

void fovea_entry_free(FoveaEntry *entry);
/* All with the lock held. */
void fovea_uplink_settle(FoveaUplink *uplink);      /* the head of the queue goes on to sent when all of it was handed over */
void fovea_uplink_doom_old(FoveaUplink *uplink);    /* what was not begun in time */
gint64 fovea_uplink_waiting(const FoveaUplink *uplink); /* us: age of the oldest frame in the queue that was not handed over */
void fovea_uplink_drop(FoveaUplink *uplink, FoveaEntry *entry);
void fovea_uplink_unref(gpointer uplink);

extern const FoveaLinkFeed fovea_live_feed, fovea_replay_feed; /* without lock, changed and user */
gpointer fovea_uplink_keep(gpointer uplink);

G_END_DECLS
#endif

/* One connection: a child, the thread that runs it, and what the keeper may know of both. Everything here is guarded by the uplink's lock. */
#ifndef FOVEA_PLUGINS_LINK_H
#define FOVEA_PLUGINS_LINK_H

#include "child.h"

G_BEGIN_DECLS

typedef enum FoveaLinkStep { FOVEA_LINK_FRAME, FOVEA_LINK_DRAIN, FOVEA_LINK_QUIT } FoveaLinkStep;

typedef struct FoveaLinkFrame {
  FoveaFrame frame; /* with a reference */
  GstCaps *caps;    /* with a reference */
  gint64 shift;
  gboolean discont;
} FoveaLinkFrame;

typedef struct FoveaLink FoveaLink;

/* What a link is fed from; all are called from its thread. */
typedef struct FoveaLinkFeed {
  GMutex *lock;
  GCond *changed;    /* broadcast whenever the link's fields change */
  gpointer user;     /* the link holds a reference as long as its thread runs */
  void (*unref)(gpointer user);
  FoveaLinkStep (*next)(gpointer user, FoveaLink *link, FoveaLinkFrame *out); /* with the lock held; waits on changed */
  void (*handed)(gpointer user, FoveaLink *link);                             /* with the lock held: the last one was taken by the child */
} FoveaLinkFeed;

struct FoveaLink {
  gatomicrefcount references;
  FoveaLinkFeed feed;
  gint64 now;           /* running time at the start */
  gint tcp_socket;      /* a duplicate of the child's, or -1 */
  FoveaChild *child;    /* while the thread runs it */

  gboolean connected;   /* the child runs, and has taken a frame if it waits for one */
  gboolean drained;     /* the stream has ended and everything has left the child */
  gboolean failed, ended; /* the thread has nothing left to do but to stop the child; it has done that */
  gboolean quit;        /* asked to end */
  gboolean dropped;     /* let go: nobody listens any more */
  gint64 busy_since;    /* monotonic us: in a call that may hang; 0: not */
  guint64 frames, bytes; /* taken by the child */
  gint64 last_time;     /* as pushed: order of the last frame; FOVEA_NO_TIME: none */
};

/* With the lock held; the feed's reference passes to the thread. caps are those of what it will send first. NULL: the text is wrong. */
FoveaLink *fovea_link_new(const gchar *text, GstCaps *caps, gint64 now, const FoveaLinkFeed *feed, GError **error);
void fovea_link_unref(FoveaLink *link);
/* The following are called with the lock held. For next: no frame is wanted any more. */
gboolean fovea_link_must_end(FoveaLink *link);
void fovea_link_quit(FoveaLink *link);
/* Its child hangs. Another thread tries to stop the child. */
void fovea_link_let_go(FoveaLink *link);
/* Bytes in the kernel that the far side has not acknowledged, as far as the child's connection can be seen (-1: it cannot). */
gint64 fovea_link_unacknowledged(const FoveaLink *link);
/* What went wrong, to be freed, without secrets, or NULL. */
gchar *fovea_link_reason(FoveaLink *link);

/* Threads of all links that were let go and have not come back. */
guint fovea_links_astray(void);

G_END_DECLS
#endif

/* At most so many pictures a second, and what of the stream need not be decoded for that.
 *
 * Time is cut into slots of 1 / max-fps from the first picture on; of each slot the first picture that is there goes out. Which pictures can be there is decided before
 * decoding, by level: where key pictures alone, or reference pictures alone, have lately come at least once a slot, nothing else is decoded; else, of the pictures that no
 * other needs, those are left out that are not the first of their slot. */
#ifndef FOVEA_PLUGINS_THINNING_H
#define FOVEA_PLUGINS_THINNING_H

#include <gst/gst.h>

#include "packet.h"

G_BEGIN_DECLS

typedef enum FoveaSkip { FOVEA_SKIP_NONE, FOVEA_SKIP_NONREF, FOVEA_SKIP_NOKEY } FoveaSkip;

/* Pictures that could carry the stream alone, and how regularly they come. */
typedef struct FoveaCadence {
  GstClockTime last;
  guint regular; /* gaps in a row that were not longer than a slot */
  gboolean broken; /* was relied on, and stayed away */
} FoveaCadence;

typedef struct FoveaThinning {
  gdouble max_fps;             /* 0: all */
  GstClockTime interval;       /* of a slot */
  GstClockTime frame_duration; /* as the caps say; 0: unknown */
  GstClockTime origin;         /* where slot 0 begins; none before the first picture */
  gint64 last_fed, last_shown; /* slots */
  GstClockTime first, newest;  /* of all that came */
  guint64 count;
  FoveaCadence keys, references;
} FoveaThinning;

/* After a flush, a change of caps, and at the start. */
void fovea_thinning_reset(FoveaThinning *thinning, GstClockTime frame_duration);
void fovea_thinning_set_max_fps(FoveaThinning *thinning, gdouble max_fps);

/* Takes note of the packet and says how much may be left out from here on. Packets come in decoding order; pts may be GST_CLOCK_TIME_NONE. */
FoveaSkip fovea_thinning_observe(FoveaThinning *thinning, const FoveaPacketInfo *info, GstClockTime pts);
/* TRUE: of packets that come in the order of display, this one is the first of its slot. Remembers it. */
gboolean fovea_thinning_feed(FoveaThinning *thinning, GstClockTime pts);
/* FALSE: a picture of this time cannot be the first of its slot. */
gboolean fovea_thinning_may_show(const FoveaThinning *thinning, GstClockTime pts);
/* TRUE: this picture goes out. In the order of display. Remembers it. */
gboolean fovea_thinning_show(FoveaThinning *thinning, GstClockTime pts);

G_END_DECLS
#endif

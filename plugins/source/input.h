/* One attempt to get video from a place: a pipeline of its own, apart from the one that foveasrc is in. So its errors, its locks and the secrets in its properties stay
 * inside (no dump, no deep-notify reaches them), and it can be let go of when it hangs. */
#ifndef FOVEA_SOURCE_INPUT_H
#define FOVEA_SOURCE_INPUT_H

#include "common/detached.h"
#include "feed.h"
#include "news.h"
#include "place.h"

G_BEGIN_DECLS

typedef enum FoveaTransportChoice { FOVEA_TRANSPORT_AUTO, FOVEA_TRANSPORT_TCP, FOVEA_TRANSPORT_UDP } FoveaTransportChoice;
typedef enum FoveaDecoderChoice { FOVEA_DECODER_AUTO, FOVEA_DECODER_OWN, FOVEA_DECODER_DECODEBIN } FoveaDecoderChoice;

typedef struct FoveaInputOptions {
  const FoveaPlace *place;
  const gchar *user, *password; /* NULL: none */
  guint latency_ms;
  FoveaTransportChoice transport;
  gboolean encoded;
  FoveaDecoderChoice decoder;
  const gchar *skip, *loop_filter; /* values of foveadecode's properties; NULL: as they are */
  gdouble max_fps;                 /* 0: no limit */
  gint width, height;              /* of a device; 0: its choice */
  GstClock *clock;                 /* NULL: none */
  GstClockTime base_time;
} FoveaInputOptions;

/* Not started yet; what happens is told to feed and news under the number of the attempt. NULL with a sentence: an element is missing. */
FoveaDetached *fovea_input_new(const FoveaInputOptions *options, guint attempt, FoveaFeed *feed, FoveaNews *news, GError **error);
/* FALSE with a sentence: the element for the place's scheme is not there. */
gboolean fovea_input_is_possible(const FoveaPlace *place, GError **error);

G_END_DECLS
#endif

/* What foveadetect runs frames through: a shared plan and a session of its own. One thread at a time. */
#ifndef FOVEA_PLUGINS_ENGINE_H
#define FOVEA_PLUGINS_ENGINE_H

#include <gst/video/video.h>

#include "common/meta.h"
#include "modelcache.h"
#include "view.h"

G_BEGIN_DECLS

typedef struct FoveaEngineSettings {
  gchar *model, *config, *labels, *device, *trusted_keys;
  gint threads;
  FvSignaturePolicy signature;
  FvPrecision precision;
} FoveaEngineSettings;

void fovea_engine_settings_copy(FoveaEngineSettings *to, const FoveaEngineSettings *from);
void fovea_engine_settings_finish(FoveaEngineSettings *settings);

typedef struct FoveaEngine {
  FoveaSharedPlan *shared;
  FvSession *session;
  const FvDescription *description; /* the plan's */
  const gchar *name;                /* of the model, interned, valid UTF-8 */
  gboolean refuses_dma;             /* a DMA buffer could not be imported */
  FvDetection found[FV_MAX_DETECTIONS];
} FoveaEngine;

FoveaEngine *fovea_engine_new(const FoveaEngineSettings *settings, FvError *err);
void fovea_engine_free(FoveaEngine *engine);

gboolean fovea_engine_imports_dma(const FoveaEngine *engine);
/* Finds objects in a frame and puts them in place of what the array of FoveaObject holds; maps the view when the device cannot import it. Returns a negative
 * FvErrorCode on failure; after FV_ERR_DEVICE the engine is of no more use. */
int fovea_engine_detect(FoveaEngine *engine, FoveaView *view, const FvDetectParams *params, GArray *objects, FvError *err);

G_END_DECLS
#endif

/* Plans shared by elements: as long as somebody holds a plan, the next one who asks for the same model, description, labels,
 * signature policy, device, precision and thread count gets the same one. A file that changed on disk (time or size) is another model. Every function may be
 * called from any thread. */
#ifndef FOVEA_PLUGINS_MODELCACHE_H
#define FOVEA_PLUGINS_MODELCACHE_H

#include <glib.h>

#include <fovea/fovea.h>

G_BEGIN_DECLS

typedef struct FoveaSharedPlan FoveaSharedPlan;

/* model is a path, or what fv_model_find takes. Loads, or joins those who hold it; a caller who comes while another one loads waits for that one. Returns NULL and err on
 * failure; failures are not remembered. params has no input shapes, plan_params no flags and constants; their texts may be NULL. */
FoveaSharedPlan *fovea_plan_acquire(const gchar *model, const FvModelParams *params, const FvPlanParams *plan_params, FvError *err);
/* The plan's device failed: those who hold it still do, and the next one who asks gets another. */
void fovea_plan_forget(FoveaSharedPlan *shared);
/* How many hold it. */
guint fovea_plan_holders(FoveaSharedPlan *shared);
/* Drops a hold and clears the pointer; the last one frees the plan. Accepts a pointer to NULL. */
void fovea_plan_release(FoveaSharedPlan **shared);

FvPlan *fovea_plan_get(const FoveaSharedPlan *shared); /* borrowed */
/* GQuark by class index, valid UTF-8; NULL when the model names no classes. Borrowed, read-only. */
GArray *fovea_plan_label_quarks(const FoveaSharedPlan *shared);
/* SHA-256 of the model's file as it was when it was loaded, hexadecimal, interned; NULL when it could not be read again. */
const gchar *fovea_plan_model_sha256(const FoveaSharedPlan *shared);
/* Nanoseconds that one analysis took while warming up: frame in, boxes out. */
guint64 fovea_plan_warm_up_ns(const FoveaSharedPlan *shared);

G_END_DECLS
#endif

/* What is shown of a .fovea file. */
#ifndef FOVEA_TOOLS_CONTAINER_TEXT_H
#define FOVEA_TOOLS_CONTAINER_TEXT_H

#include <fovea/container.h>

#include "json.h"

/* "signed with the trusted key 'office' (3f…)"; g_free() it. */
char *fv_signature_text(const FvContainerInfo *info);
void fv_container_print(const FvContainerInfo *info);
/* What each operator takes in the file: a table. Operators with single numbers only are summed up in one line. */
void fv_layers_print(const FvModel *model);
void fv_layers_json(FvJson *json, const FvModel *model);
/* Keys of the object that is open. */
void fv_container_json(FvJson *json, const FvContainerInfo *info);

#endif

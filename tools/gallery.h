/* Folders of pictures. */
#ifndef FOVEA_TOOLS_GALLERY_H
#define FOVEA_TOOLS_GALLERY_H

#include <glib.h>

#include <fovea/error.h>

/* The names of all picture files in folder and the folders in it (jpg, jpeg, png, bmp; links to folders are not followed), relative to it, in the order of their bytes.
 * NULL, with the reason, when there is none. Free with g_ptr_array_unref. */
GPtrArray *fv_gallery_list(const char *folder, FvError *err);
/* Keeps `count` of them, evenly chosen; all when there are no more. */
void fv_gallery_thin(GPtrArray *names, guint count);

#endif

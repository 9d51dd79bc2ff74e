#ifndef QUORATE_MODULE_VENDOR_TABLE_H
#define QUORATE_MODULE_VENDOR_TABLE_H

#include "estate/vendor.h"

/* The table that C_GetInterface("Vendor Quorate", …) shows. */
const struct quorate_vendor *vendor_interface(void);

#endif

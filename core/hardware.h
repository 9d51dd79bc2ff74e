#ifndef QUORATE_CORE_HARDWARE_H
#define QUORATE_CORE_HARDWARE_H

/* How the hardware of an HSM was attested at its enrolment, as requests and the log say it. */
#define HARDWARE_BY_PEOPLE "attested-by-people" /* they read its label */
#define HARDWARE_BY_VENDOR "attested-by-vendor" /* its vendor's certificates name the keys that it made */

#endif

#include "tests/sweep/hsm.h"

CK_ULONG hsm_lie;

void lie_C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count)
{
    (void)token_present;
    (void)slots;
    *count = hsm_lie;
}

void lie_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count)
{
    (void)slot;
    (void)mechanisms;
    *count = hsm_lie;
}

void lie_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items, CK_ULONG count)
{
    (void)session;
    (void)object;
    for (CK_ULONG i = 0; i < count; i++)
        items[i].ulValueLen = hsm_lie;
}

void lie_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max, CK_ULONG_PTR count)
{
    (void)session;
    (void)objects;
    (void)max;
    if (hsm_lie != 0) /* that there is nothing is no lie that anybody could tell from the truth */
        *count = hsm_lie;
}

void lie_C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                CK_ULONG_PTR signature_len)
{
    (void)session;
    (void)data;
    (void)data_len;
    (void)signature;
    *signature_len = hsm_lie;
}

void lie_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                   CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    (void)session;
    (void)mechanism;
    (void)wrapping;
    (void)key;
    (void)wrapped;
    *wrapped_len = hsm_lie;
}

void lie_C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR encrypted,
                   CK_ULONG_PTR encrypted_len)
{
    (void)session;
    (void)data;
    (void)data_len;
    (void)encrypted;
    *encrypted_len = hsm_lie;
}

/** What is used of the SPIFFE Workload API (`workloadapi.proto`, and the WIT-SVID profile of it), for the proto loader. */
export const WORKLOAD_API = {
  nested: {
    SpiffeWorkloadAPI: {
      methods: {
        FetchX509SVID: streams('X509SVIDRequest', 'X509SVIDResponse'),
        FetchX509Bundles: streams('X509BundlesRequest', 'X509BundlesResponse'),
        FetchWITSVID: streams('WITSVIDRequest', 'WITSVIDResponse'),
        FetchWITBundles: streams('WITBundlesRequest', 'WITBundlesResponse'),
      },
    },
    X509SVIDRequest: { fields: {} },
    X509SVIDResponse: {
      fields: {
        svids: { rule: 'repeated', type: 'X509SVID', id: 1 },
        crl: { rule: 'repeated', type: 'bytes', id: 2 },
        federated_bundles: { keyType: 'string', type: 'bytes', id: 3 },
      },
    },
    X509SVID: {
      fields: {
        spiffe_id: { type: 'string', id: 1 },
        x509_svid: { type: 'bytes', id: 2 },
        x509_svid_key: { type: 'bytes', id: 3 },
        bundle: { type: 'bytes', id: 4 },
        hint: { type: 'string', id: 5 },
      },
    },
    X509BundlesRequest: { fields: {} },
    X509BundlesResponse: {
      fields: {
        crl: { rule: 'repeated', type: 'bytes', id: 1 },
        bundles: { keyType: 'string', type: 'bytes', id: 2 },
      },
    },
    WITSVIDRequest: { fields: {} },
    WITSVIDResponse: { fields: { svids: { rule: 'repeated', type: 'WITSVID', id: 1 } } },
    WITSVID: {
      fields: {
        spiffe_id: { type: 'string', id: 1 },
        wit_svid: { type: 'string', id: 2 },
        wit_svid_key: { type: 'string', id: 3 },
        hint: { type: 'string', id: 4 },
      },
    },
    WITBundlesRequest: { fields: {} },
    WITBundlesResponse: {
      fields: {
        bundles: { keyType: 'string', type: 'string', id: 1 },
        more: { type: 'bool', id: 2 },
      },
    },
  },
};

function streams(requestType: string, responseType: string) {
  return { requestType, requestStream: false, responseType, responseStream: true, comment: '' };
}

// A school's software written in Java: signs every slot of a record with the JDK's own javax.xml.crypto.dsig.
// Usage: java ForeignSigner.java IN OUT then for each slot: PATH TARGET KEY.pk8 CERT.der TIME

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureProperties;
import javax.xml.crypto.dsig.SignatureProperty;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.XMLObject;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

public class ForeignSigner {
    static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    public static void main(String[] words) throws Exception {
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        Document document = builders.newDocumentBuilder().parse(new File(words[0]));
        NodeList all = document.getElementsByTagName("*");
        for (int i = 0; i < all.getLength(); i++) {
            Element element = (Element) all.item(i);
            for (String name : List.of("Id", "id")) {
                if (element.hasAttribute(name)) {
                    element.setIdAttribute(name, true);
                }
            }
        }
        for (int i = 2; i + 4 < words.length; i += 5) {
            sign(document, words[i], words[i + 1], words[i + 2], words[i + 3], words[i + 4], "ky-" + i);
        }
        Transformer transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.ENCODING, "UTF-8");
        try (FileOutputStream out = new FileOutputStream(words[1])) {
            transformer.transform(new DOMSource(document), new StreamResult(out));
        }
    }

    static void sign(Document document, String path, String target, String keyFile, String certFile, String time, String id)
            throws Exception {
        Element place = (Element) XPathFactory.newInstance().newXPath().evaluate(path, document, XPathConstants.NODE);
        byte[] encoded = Files.readAllBytes(Path.of(keyFile));
        X509Certificate certificate;
        try (FileInputStream in = new FileInputStream(certFile)) {
            certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        String kind = certificate.getPublicKey().getAlgorithm();
        PrivateKey key = KeyFactory.getInstance(kind).generatePrivate(new PKCS8EncodedKeySpec(encoded));
        String method = "http://www.w3.org/2001/04/xmldsig-more#" + (kind.equals("EC") ? "ecdsa-sha256" : "rsa-sha256");
        DigestMethod sha256 = FACTORY.newDigestMethod(DigestMethod.SHA256, null);
        var c14n = FACTORY.newTransform(CanonicalizationMethod.INCLUSIVE, (TransformParameterSpec) null);
        Reference data = FACTORY.newReference("#" + target, sha256, List.of(c14n), null, null);
        Reference moment = FACTORY.newReference("#" + id + "-time", sha256, List.of(c14n), null, null);
        SignedInfo info = FACTORY.newSignedInfo(
                FACTORY.newCanonicalizationMethod(CanonicalizationMethod.INCLUSIVE, (C14NMethodParameterSpec) null),
                FACTORY.newSignatureMethod(method, null), List.of(data, moment));
        Element signingTime = document.createElementNS("http://example.org/#signatureProperties", "SigningTime");
        // DOM writes no declaration by itself, and what is signed must be what will be written.
        signingTime.setAttributeNS("http://www.w3.org/2000/xmlns/", "xmlns", "http://example.org/#signatureProperties");
        signingTime.setTextContent(time);
        SignatureProperty property =
                FACTORY.newSignatureProperty(List.of(new DOMStructure(signingTime)), "#" + id, null);
        SignatureProperties properties = FACTORY.newSignatureProperties(List.of(property), id + "-time");
        XMLObject object = FACTORY.newXMLObject(List.of(properties), null, null, null);
        KeyInfoFactory keys = FACTORY.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(
                List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        FACTORY.newXMLSignature(info, keyInfo, List.of(object), id, null).sign(new DOMSignContext(key, place));
    }
}
